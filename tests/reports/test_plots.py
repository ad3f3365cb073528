"""Plots are drawn from any facts, twice the same, and may share a page."""

import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from reports import plots
from reports.lifecycle import coverage as of_quantiles
from reports.lifecycle import estimated as without_labels
from reports.monitoring.drift_map import drift_map
from reports.plots import Event

MONTHS = [f"2013-{month:02d}" for month in range(4, 13)]
WEEKS = [f"2013-{month:02d}-{day:02d}" for month in range(1, 13) for day in (1, 8, 15, 22)]
EVENTS = (Event(-1, "v1"), Event(2, "v4"), Event(5, "x", released=False))
SVG = "{http://www.w3.org/2000/svg}"


def performance(batches: list[str]) -> str:
    values: list[float | None] = [0.7 - 0.001 * place for place in range(len(batches))]
    values[1] = None
    intervals = [None if value is None else (value - 0.03, value + 0.03) for value in values]
    return plots.performance("AUC", batches, values, intervals, [None, *values[:-1]], EVENTS)


def rates(batches: list[str]) -> str:
    observed = [None, *[0.13 + 0.001 * place for place in range(len(batches) - 1)]]
    return plots.rates(batches, observed[::-1], observed, observed, EVENTS)


def calibration(batches: list[str]) -> str:
    return plots.calibration(batches[:9], [([0.1, 0.2, 0.6], [0.05, 0.3, 0.4])] * 9)


def drift(batches: list[str]) -> str:
    values = [{"wind": 0.1 * place, "hour": None} for place in range(len(batches))]
    return drift_map(
        batches, {"hour": 0.8, "wind": 0.2, "rain": None}, values, [["wind"]] * len(batches), 0.2, EVENTS
    )


def rows(batches: list[str]) -> str:
    return plots.rows(batches, [28_000] * len(batches), [0, 684, *[3] * (len(batches) - 2)])


def coverage(batches: list[str]) -> str:
    measures = [{}, *({"coverage": 0.75 + 0.01 * place, "nominal": 0.8} for place in range(len(batches) - 1))]
    told = [
        {"batch": batch, "measures": found, "intervals": {"coverage": [0.7, 0.9]} if found else {}}
        for batch, found in zip(batches, measures, strict=True)
    ]
    return of_quantiles.coverage(told, EVENTS)


def estimated(batches: list[str]) -> str:
    told = [
        {"batch": batch, "score": 0.7, "final": place < 3 or None, "estimates": {"auc": {"value": 0.71}}}
        for place, batch in enumerate(batches)
    ]
    told[1] |= {"estimates": {}, "final": False}
    told[2] |= {"estimates": {"auc": {"value": 0.7, "low": 0.68, "high": 0.72}}}
    return without_labels.estimated("AUC", "auc", told, EVENTS)


DRAWN: tuple[Callable[[list[str]], str], ...] = (
    performance,
    estimated,
    rates,
    coverage,
    calibration,
    drift,
    rows,
)
every_plot = pytest.mark.parametrize("draw", DRAWN, ids=lambda draw: draw.__name__)


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@every_plot
@pytest.mark.parametrize("batches", [MONTHS, WEEKS], ids=["months", "weeks"])
def test_a_plot_is_one_vector_picture_with_a_description(
    draw: Callable[[list[str]], str], batches: list[str]
) -> None:
    root = ElementTree.fromstring(draw(batches))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert len(root.get("aria-label", "")) > 20
    assert not list(root.iter(f"{SVG}image"))
    assert texts(draw(batches))


@every_plot
def test_a_plot_is_the_same_twice_and_leaves_no_settings_behind(draw: Callable[[list[str]], str]) -> None:
    assert draw(MONTHS) == draw(MONTHS)
    for setting in ("svg.fonttype", "text.color", "svg.hashsalt"):
        assert mpl.rcParams[setting] == mpl.rcParamsDefault[setting]


def test_all_plots_of_a_page_have_different_ids_and_refer_to_their_own() -> None:
    page = "".join(draw(MONTHS) for draw in DRAWN)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page))
    assert referred
    assert {one or other for one, other in referred} <= set(ids)


@every_plot
def test_every_colour_is_the_page_s_to_change(draw: Callable[[list[str]], str]) -> None:
    bare = re.sub(r"var\(--[a-z]+, #[0-9a-f]{6}\)", "", draw(MONTHS))
    assert not re.findall(r"#[0-9a-f]{6}\b", bare)


def test_axes_have_units_months_have_names_and_releases_are_marked() -> None:
    told = texts(performance(MONTHS))
    assert {"AUC", "Apr", "2013", "Dec", "v4", "x", "champion", "baseline"} <= set(told)
    assert "rate (%)" in texts(rates(MONTHS))
    assert len([text for text in texts(performance(WEEKS)) if text.startswith("2013-")]) <= 6


def test_without_a_baseline_none_is_named() -> None:
    nothing = [None] * len(MONTHS)
    drawn = plots.performance("AUC", MONTHS, [0.7] * len(MONTHS), nothing, nothing, ())
    assert "baseline" not in texts(drawn)


def test_a_name_is_never_read_as_a_formula() -> None:
    svg = drift_map(["2013-04"], {r"$\cost_in_$": 1.0}, [{}], [[]], 0.2, ())
    assert r"$\cost_in_$" in texts(svg)


def test_cells_of_what_drifted_are_bold() -> None:
    moved = [{"wind": 0.19}, {"wind": 0.2}]
    svg = drift_map(["2013-04", "2013-05"], {"wind": 1.0}, moved, [[], ["wind"]], 0.2, ())
    styles = {
        "".join(text.itertext()).strip(): text.get("style", "")
        for text in ElementTree.fromstring(svg).iter(f"{SVG}text")
    }
    assert "font-weight: 700" in styles["0.20"] or "bold" in styles["0.20"]
    assert "700" not in styles["0.19"]
    assert "bold" not in styles["0.19"]
