"""A slice tells of its rows alone; many values are told by the largest and the worst; time by its periods."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.errors import SpecError
from core.plain import plain
from models.card.slices import FEWEST, MOST, by_column, over_time
from models.rows import Rows

OF = "gate.slices"
Plant = Callable[..., Any]


def test_a_slice_is_measured_on_its_rows_alone(plant: Plant) -> None:
    made = plant("binary")
    problem, rows, answers = made.fit.problem, made.holdout, made.answers
    found = by_column(problem, rows, answers, "airline", made.spec, OF)
    assert found.hidden == 0
    sizes = [each.rows for each in found.shown]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == len(rows)
    for each in found.shown:
        among = (rows.frame["airline"] == each.name).to_numpy()
        alone = problem.measures(rows.at(among), answers[among])
        assert each.measures["auc"].value == pytest.approx(alone["auc"])
        assert each.measures["log_loss"].low < alone["log_loss"] < each.measures["log_loss"].high
        assert each.observed == pytest.approx(alone["base_rate"])


@pytest.mark.parametrize("kind", ["multiclass", "regression", "quantiles", "ranking"])
def test_every_problem_has_slices(kind: str, plant: Plant) -> None:
    made = plant(kind)
    found = by_column(made.fit.problem, made.holdout, made.answers, "airline", made.spec, OF)
    names = {"multiclass": "accuracy", "regression": "rmse", "quantiles": "coverage", "ranking": "ndcg"}
    assert all(np.isfinite(each.measures[names[kind]].value) for each in found.shown)
    assert (found.shown[0].observed is None) == (kind in ("multiclass", "ranking"))


def test_of_many_values_the_largest_and_the_worst_are_shown(plant: Plant) -> None:
    made = plant("binary")
    sizes = {f"large {place}": 45 for place in range(10)} | {f"small {place:02}": 30 for place in range(18)}
    sizes |= {f"single {place}": 1 for place in range(6)}
    routes = pl.Series("route", [name for name, count in sizes.items() for _ in range(count)])
    rows = made.holdout.at(slice(0, len(routes)))
    rows = Rows(rows.frame.with_columns(routes), rows.labels, rows.times)
    wrong = ((routes == "small 17") | routes.str.starts_with("single")).to_numpy()
    answers = made.answers[: len(rows)].copy()
    answers[wrong] = np.where(rows.labels[wrong] > 0, 0.01, 0.99)
    found = by_column(made.fit.problem, rows, answers, "route", made.spec, OF)
    shown = [each.name for each in found.shown]
    assert shown[:10] == list(sizes)[:10]
    assert "small 17" in shown
    assert not [name for name in shown if name.startswith("single")]  # one row can be wrong by chance
    assert len(shown) <= 20
    assert len(shown) + found.hidden == len(sizes)


def test_missing_values_are_a_slice_and_many_numbers_are_bands(plant: Plant) -> None:
    made = plant("binary")
    found = by_column(made.fit.problem, made.holdout, made.answers, "wind", made.spec, OF)
    missing = made.holdout.frame["wind"].null_count()
    assert {each.rows for each in found.shown if each.name == "missing"} == {missing}
    bands = [each for each in found.shown if each.name != "missing"]
    assert len(bands) == 5
    assert max(each.rows for each in bands) - min(each.rows for each in bands) <= 2
    low, high = bands[0].name.split(" to ")
    within = made.holdout.frame["wind"].is_between(float(low) - 0.01, float(high) + 0.01).sum()
    assert abs(within - bands[0].rows) <= 3


def test_slices_of_one_row_and_of_one_class_can_be_told(plant: Plant) -> None:
    made = plant("binary")
    rows = made.holdout
    airline = pl.Series(["alone", *["none"] * 400, *["both"] * (len(rows) - 401)])
    labels = rows.labels.copy()
    labels[:401] = 0
    odd = Rows(rows.frame.with_columns(airline=airline), labels, rows.times)
    found = {
        each.name: each
        for each in by_column(made.fit.problem, odd, made.answers, "airline", made.spec, OF).shown
    }
    told = json.loads(json.dumps(plain(found), allow_nan=False))
    assert told["alone"]["measures"]["log_loss"]["low"] is None
    assert told["alone"]["measures"]["auc"]["value"] is None
    assert told["none"]["measures"]["auc"]["value"] is None
    assert told["none"]["measures"]["log_loss"]["low"] is not None


def test_a_column_that_is_not_there_is_named(plant: Plant) -> None:
    made = plant("binary")
    with pytest.raises(SpecError, match=r"gate\.slices: the rows have no column 'airlines'"):
        by_column(made.fit.problem, made.holdout, made.answers, "airlines", made.spec, OF)


@pytest.mark.parametrize(
    ("days", "every", "drawn"),
    [
        (2, "6h", "stretches"),
        (13, "1d", "stretches"),
        (120, "1w", "blocks"),
        (365, "1mo", "blocks"),
        (1, "1h", "stretches"),
    ],
)
def test_time_is_cut_into_some_points(days: int, every: str, drawn: str, plant: Plant) -> None:
    made = plant("binary")
    rows = _over(timedelta(days=days), made.holdout)
    found = over_time(made.fit.problem, rows, made.answers, made.spec)
    assert (found.every, found.drawn) == (every, drawn)
    assert FEWEST <= len(found.shown) <= MOST
    assert sum(each.rows for each in found.shown) == len(rows)
    assert [each.name for each in found.shown] == sorted(each.name for each in found.shown)
    sure = [each.measures["log_loss"] for each in found.shown if each.rows > 5]
    assert all(np.isfinite(each.low) and each.low < each.value < each.high for each in sure)


def test_periods_are_those_of_local_time(plant: Plant) -> None:
    """The rows begin at five in the morning UTC, which is midnight in New York."""
    made = plant("binary")
    found = over_time(made.fit.problem, _over(timedelta(days=13), made.holdout), made.answers, made.spec)
    assert found.shown[0].name == "2013-01-01T00:00"
    assert len(found.shown) == 13


def test_rows_of_one_instant_are_one_point(plant: Plant) -> None:
    made = plant("regression")
    found = over_time(made.fit.problem, _over(timedelta(0), made.holdout), made.answers, made.spec)
    assert [each.rows for each in found.shown] == [len(made.holdout)]


def _over(span: timedelta, rows: Rows) -> Rows:
    """The rows, spread evenly over a span from the start of 2013 in New York."""
    start, count = datetime(2013, 1, 1, 5, tzinfo=UTC), len(rows)
    times = pl.Series(
        [start + span * (place / count) for place in range(count)], dtype=pl.Datetime("us", "UTC")
    )
    return Rows(rows.frame, rows.labels, times, rows.groups)
