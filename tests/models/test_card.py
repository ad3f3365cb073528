"""The card tells the facts of its version, as data and as a page that needs nothing else."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.plain import plain
from core.spec import Spec
from models.card.card import card
from models.card.describe import describe
from models.card.page import html
from models.gate.judge import Check, GateReport
from models.problem import relative_loss
from models.registry.versions import Lineage, Version
from models.rows import Rows

Plant = Callable[..., Any]
KINDS = ["binary", "multiclass", "regression", "quantiles", "ranking"]
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def version() -> Version:
    lineage = Lineage(
        tables={"features": 3, "outcomes": 3},
        batches=("2013-01", "2013-02", "2013-03"),
        as_of=datetime(2013, 4, 1, 4, tzinfo=UTC),
        code="0123abc",
        settings="f00d",
        packages={"lightgbm": "4.7.0", "onnxruntime": "1.31.1"},
        seed=7,
        trained_until=datetime(2013, 3, 17, 4, tzinfo=UTC),
        learnt_until=datetime(2013, 3, 1, 4, tzinfo=UTC),
        parameters={"torch": {"hidden": [32, 16], "dropout": 0.25}},
        starts={"torch": "flights/2"},
    )
    return Version(
        "flights", 3, "torch", "champion", {"float32.onnx": "ab" * 32}, {"serves": "float32"}, lineage
    )


@pytest.fixture(scope="module")
def described(plant: Plant) -> dict[tuple[str, bool], dict[str, Any]]:
    """The description of each kind of problem, with SHAP values and without, made plain."""
    found = {}
    for kind in KINDS:
        for exact in (True, False):
            made = plant(kind, exact)
            found[kind, exact] = plain(describe(made.fit, made.split, made.spec))
    return found


def _files(metric: str) -> list[dict[str, Any]]:
    exact = {
        "name": "float32",
        "bytes": 918_000,
        "parity": {"max_difference": 2e-7},
        "latency": {"p50_us": 31.25, "p99_us": 88.5, "rows_per_second": 240_123.0},
        "measures": {metric: 0.4857},
        "rises": {"validation": {"value": 0.0, "low": 0.0, "high": 0.0}},
        "on_cpu": {"LabelEncoder": 3},
        "kept": True,
        "note": "",
    }
    note = "3.5 times smaller, 1.80 times as fast, log loss +0.00150"
    small = {"name": "int8", "bytes": 265_000, "kept": False, "note": note}
    rises = {"validation": {"value": 0.0015, "low": 0.001, "high": 0.0021}}
    return [exact, {**exact, **small, "rises": rises}]


GATE = GateReport(
    "flights/3",
    "flights/1",
    12_000,
    14,
    False,
    (
        Check("better", True, 0.002, 0.0, "log loss 0.4857 against 0.4937 of flights/1: gain +0.0080"),
        Check("slices", False, -0.03, -0.02, "1 of 3 slices is surely worse: carrier=HA <b>-0.0300</b>"),
    ),
)


class Page(HTMLParser):
    """The text of a page, its numbers, and all that it would load or go to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.numbers: list[tuple[str, str]] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self._number: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        self.links += [str(found[name]) for name in ("src", "href", "srcset", "data") if name in found]
        self.ids |= {str(found["id"])} if "id" in found else set()
        self._number = found.get("value") if tag == "data" else None

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._number = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._number is not None:
            self.numbers.append((self._number, data))

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def _leaves(told: Any) -> Iterator[float]:
    """Every number in the card."""
    if isinstance(told, dict | list):
        for part in told.values() if isinstance(told, dict) else told:
            yield from _leaves(part)
    elif isinstance(told, int | float) and not isinstance(told, bool):
        yield told


def _card(version: Version, made: Any, described: Any, gate: Any = None, spec: Spec | None = None) -> Any:
    spec = spec or made.spec
    return card(version, spec, described, _files(spec.metric), gate)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exact", [True, False])
def test_every_number_on_the_page_is_one_of_the_card(
    kind: str, exact: bool, version: Version, described: Any, plant: Plant
) -> None:
    told = _card(version, plant(kind), described[kind, exact], GATE)
    page = Page(html(told))
    known = {repr(float(leaf)) for leaf in _leaves(told)}
    assert len(page.numbers) > 200
    for value, text in page.numbers:
        assert repr(float(value)) in known
        assert _reads(text) == pytest.approx(float(value), rel=0.006, abs=0.00051), (value, text)


def _reads(text: str) -> float:
    """A number as a reader takes it from the page."""
    plain_text = text.replace(",", "").replace("\N{MINUS SIGN}", "-")
    for unit, scale in ((" MB", 1e6), (" kB", 1e3), ("%", 0.01)):
        if plain_text.endswith(unit):
            return float(plain_text.removesuffix(unit).replace("<", "")) * scale
    return float(plain_text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_needs_nothing_else(kind: str, version: Version, described: Any, plant: Plant) -> None:
    text = html(_card(version, plant(kind), described[kind, False], GATE))
    page = Page(text)
    beside = ["data:,", "index.html", f"{version.number}.json"]
    assert [link for link in page.links if not link.startswith("#")] == beside
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert not page.tags & {"script", "iframe", "img", "object", "embed"}
    assert not re.search(r"url\(|@import|https?://|\bNone\b|\bnan\b", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "width=device-width" in text
    assert page.open == []
    assert len(text) < 300_000


def test_the_card_is_json_with_the_facts(version: Version, described: Any, plant: Plant) -> None:
    made = plant("binary")
    told = _card(version, made, described["binary", True], GATE)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["id"], told["family"], told["stage"]) == ("flights/3", "torch", "champion")
    assert told["use"]["business"] == made.spec.objective.business
    assert told["lineage"]["trained_until"] == "2013-03-17T04:00:00+00:00"
    measures = made.fit.problem.measures(made.holdout, made.answers)
    measures["relative_loss"] = relative_loss(made.fit.problem, made.holdout, made.answers)
    scores = {score["key"]: score for score in told["scores"]}
    assert list(scores) == ["log_loss", "brier", "auc", "calibration_error", "relative_loss"]
    assert scores["relative_loss"]["name"] == "normalised entropy"
    for name, score in scores.items():
        assert score["value"] == pytest.approx(measures[name])
        assert score["low"] < score["value"] < score["high"]
    assert set(told["features"]) == set(made.spec.features)
    assert told["gate"]["accepted"] is False
    assert told["reproduce"] == "make reproduce VERSION=flights/3"


def test_the_page_tells_what_a_reader_looks_for(version: Version, described: Any, plant: Plant) -> None:
    made = plant("binary")
    features = {
        name: each.model_copy(update={"meaning": f"what {name} means", "unit": "mph"})
        for name, each in made.spec.features.items()
    }
    objective = made.spec.objective.model_copy(
        update={"inputs": "the schedule", "output": "how likely", "costs": {"missed": 5.5, "false_alarm": 1}}
    )
    spec = made.spec.model_copy(update={"features": features, "objective": objective})
    told = _card(version, made, described["binary", True], GATE, spec)
    text = Page(html(told)).text
    wind = next(trial for trial in told["trials"] if (trial["change"], trial["what"]) == ("missing", "wind"))
    for fact in (
        "flights/3 champion",
        "refused it against flights/1: slices failed",
        "fewer surprises",
        "it is given the schedule",
        "missed 5.5000; false alarm 1",
        "float32 serves yes 918.0 kB 31.25 88.50 240,123 0.4857",
        "int8 3.5 times smaller, 1.80 times as fast, log loss +0.00150 no 265.0 kB",
        "+0.0015 +0.0010 to +0.0021 2.0e-07",
        "LabelEncoder 3",
        "Refused against flights/1, on 12,000 events in 14 blocks",
        "carrier=HA <b>-0.0300</b>",  # as text: what comes from data is never markup
        "2013-01 to 2013-03 (3)",
        "features 3, outcomes 3",
        "what wind means · mph",
        f"+{wind['rise']['value']:.4f}",
        "weather: missing",
        "make reproduce VERSION=flights/3",
        "torch went on from flights/2",
        "parameters of torch hidden [32, 16], dropout 0.25",
        "It learnt from events up to 2013-03-01 04:00 UTC",
        *told["limits"],
        *(each["name"] for each in told["slices"][0]["shown"]),
    ):
        assert re.sub(r"\s+", "", fact) in re.sub(r"\s+", "", text), fact


def test_a_regression_speaks_of_its_unit_and_no_probabilities(
    version: Version, described: Any, plant: Plant
) -> None:
    made = plant("regression")
    objective = made.spec.objective.model_copy(update={"unit": "minutes"})
    told = _card(
        version,
        made,
        described["regression", True],
        None,
        made.spec.model_copy(update={"objective": objective}),
    )
    text = Page(html(told)).text
    assert [score["key"] for score in told["scores"]] == ["rmse", "mae", "bias", "relative_loss"]
    assert "in minutes" in text
    assert "probabilit" not in text
    assert "It has not been before the gate." in text


def test_what_comes_from_data_or_spec_is_never_markup(version: Version, plant: Plant) -> None:
    made = plant("binary", exact=False)
    frames = {
        part: rows.frame.with_columns(
            airline=pl.when(pl.col("airline") == "UA").then(pl.lit(HOSTILE)).otherwise("airline"),
            flight=pl.lit(HOSTILE),
        )
        for part, rows in (("train", made.split.train), ("holdout", made.holdout))
    }
    parts = {
        part: Rows(frame, getattr(made.split, part).labels, getattr(made.split, part).times)
        for part, frame in frames.items()
    }
    spec = made.spec.model_copy(
        update={
            "title": HOSTILE,
            "features": {
                name: each.model_copy(update={"meaning": HOSTILE, "unit": HOSTILE})
                for name, each in made.spec.features.items()
            },
        }
    )
    split = type(made.split)(parts["train"], made.split.validation, parts["holdout"])
    text = html(_card(version, made, plain(describe(made.fit, split, spec)), GATE, spec))
    page = Page(text)
    assert "script" not in page.tags
    assert page.text.count(HOSTILE) > 10
    assert "<script" not in text


def test_what_is_not_known_is_a_dash(version: Version, plant: Plant) -> None:
    """One row a slice, one class, one day: no interval, and still a page."""
    made = plant("binary")
    rows = made.holdout.at(slice(0, 40))
    airline = pl.Series("airline", ["alone", *["all"] * 39])
    few = Rows(rows.frame.with_columns(airline), np.zeros(40), rows.times)
    split = type(made.split)(made.split.train, made.split.validation, few)
    told = _card(version, made, plain(describe(made.fit, split, made.spec)))
    assert told["scores"][0]["low"] is None
    page = Page(html(told))
    assert "alone" in page.text
    assert "AUC \N{EN DASH}" in page.text


def test_groups_are_shown_with_their_rates(version: Version, described: Any, plant: Plant) -> None:
    made = plant("binary")
    rate = {"value": 0.21, "low": 0.18, "high": 0.2423}
    group = {"attribute": "airline", "group": "UA", "rows": 321, "judged": False}
    one = group | {"rates": {"true_positive_rate": rate}}
    text = Page(html(_card(version, made, described["binary", True] | {"fairness": [one]}))).text
    assert "airline events true positive rate judged UA 321 0.2100 0.1800 to 0.2423 no" in text
    three = group | {"rates": {f"selection_rate of {name}": rate for name in ("late", "early", "fine")}}
    told = _card(version, plant("multiclass"), described["multiclass", True] | {"fairness": [three]})
    text = Page(html(told)).text
    assert "airline events class selection rate judged UA 321 late 0.2100 0.1800 to 0.2423 no" in text


def test_no_slices_and_no_attributes_are_said(version: Version, described: Any, plant: Plant) -> None:
    text = Page(html(_card(version, plant("binary"), described["binary", True] | {"slices": []}))).text
    assert "The spec names no slices" in text
    assert "no sensitive attribute" in text


def test_a_card_kept_as_json_gives_the_same_page(version: Version, described: Any, plant: Plant) -> None:
    told = _card(version, plant("multiclass"), described["multiclass", False], GATE)
    assert html(json.loads(json.dumps(told))) == html(told)
