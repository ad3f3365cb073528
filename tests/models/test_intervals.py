"""Every measure has an interval that is about it, whatever the problem and however few the rows."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from core.learning import ProblemKind
from models.measures.intervals import drawn_blocks, intervals, local
from models.measures.paired import Blocks
from models.measures.probabilities import log_loss, measures
from models.problem import relative_loss
from models.problems.binary import Binary
from models.rows import Rows

KINDS = (*get_args(ProblemKind), "quantiles")


@pytest.mark.parametrize("kind", KINDS)
def test_an_interval_lies_around_the_problem_s_own_measure(kind: str, plant: Callable[..., Any]) -> None:
    made = plant(kind)
    problem, rows, answers = made.fit.problem, made.holdout, made.answers
    found = intervals(problem, rows, answers, drawn_blocks(rows, made.spec), 0.95)
    measures = problem.measures(rows, answers)
    measures["relative_loss"] = relative_loss(problem, rows, answers)
    counts = {"rows", "lists", "base_rate", "mean", "balanced_accuracy", "nominal"}
    assert set(found) == set(measures) - counts
    for name, interval in found.items():
        assert interval.value == pytest.approx(measures[name]), name
        assert interval.low - 1e-12 <= interval.value <= interval.high + 1e-12, name
        assert interval.high - interval.low < 1, name


@pytest.mark.parametrize("digits", [1, 8])
def test_intervals_are_those_of_drawing_whole_blocks_by_hand(digits: int) -> None:
    """Student's t times the spread of the measures of rows that are really drawn, with ties and without."""
    random = np.random.default_rng(2)
    days = np.sort(random.integers(0, 20, 1_000))
    margins = random.normal(-1, 1, 1_000) + random.normal(0, 1, 20)[days]
    labels = (random.random(1_000) < 1 / (1 + np.exp(-margins))).astype(float)
    answers = np.clip(1 / (1 + np.exp(-margins)), 0.05, 0.95).round(digits)
    rows = Rows(pl.DataFrame({"day": days}), labels, pl.Series(days).cast(pl.Datetime("us", "UTC")))
    blocks = Blocks.draw(days, 200, 4)
    found = intervals(Binary(), rows, answers, blocks, 0.9)
    drawn = [np.repeat(np.arange(1_000), counts[days]) for counts in blocks.weights]
    constant = np.full(1_000, Binary().constant(rows))

    def told(places: NDArray[np.intp]) -> dict[str, float]:
        found = measures(labels[places], answers[places])
        return found | {"relative_loss": found["log_loss"] / log_loss(labels[places], constant[places])}

    by_hand = [told(places) for places in drawn]
    for name in ("auc", "log_loss", "brier", "relative_loss"):
        error = np.std([each[name] for each in by_hand]) * np.sqrt(20 / 19)
        reach = float(stats.t.ppf(0.95, 19) * error)
        value = told(np.arange(1_000))[name]
        assert (found[name].low, found[name].high) == pytest.approx((value - reach, value + reach), abs=1e-9)
    assert 0 <= found["calibration_error"].low < found["calibration_error"].high


def test_rows_that_hang_together_leave_more_doubt() -> None:
    random = np.random.default_rng(8)
    days = np.repeat(np.arange(30), 100)
    labels = (random.random(3_000) < np.repeat(random.beta(1, 3, 30), 100)).astype(float)
    rows = Rows(pl.DataFrame({"day": days}), labels, pl.Series(days).cast(pl.Datetime("us", "UTC")))
    answers = np.full(3_000, 0.25)
    by_day, by_row = (
        intervals(Binary(), rows, answers, Blocks.draw(names, 300, 1), 0.95)["log_loss"]
        for names in (days, np.arange(3_000))
    )
    assert by_day.high - by_day.low > 3 * (by_row.high - by_row.low)


def test_rows_of_a_block_that_say_the_same_make_nothing_surer(plant: Callable[..., Any]) -> None:
    made = plant("regression")
    problem, rows, answers = made.fit.problem, made.holdout, made.answers
    once = intervals(problem, rows, answers, drawn_blocks(rows, made.spec), 0.95)
    again = np.repeat(np.arange(len(rows)), 5)
    five = intervals(problem, rows.at(again), answers[again], drawn_blocks(rows.at(again), made.spec), 0.95)
    assert five["rmse"].low == pytest.approx(once["rmse"].low)
    assert five["mae"].high == pytest.approx(once["mae"].high)


def test_blocks_follow_the_clocks_of_the_project(plant: Callable[..., Any]) -> None:
    """An evening in New York is the next day in UTC, and the same block as its afternoon."""
    made = plant("binary")
    times = pl.Series(["2013-06-01T20:00Z", "2013-06-02T03:00Z", "2013-06-02T05:00Z"]).str.to_datetime(
        "%Y-%m-%dT%H:%MZ", time_zone="UTC"
    )
    rows = Rows(pl.DataFrame({"x": [1, 2, 3]}), np.zeros(3), times)
    assert drawn_blocks(rows, made.spec).block.tolist() == [0, 0, 1]
    assert np.diff(local(times, "America/New_York")).tolist() == [7 * 3_600_000_000, 2 * 3_600_000_000]


def test_what_the_rows_do_not_tell_has_no_interval() -> None:
    times = pl.Series([0] * 60, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    labels = np.zeros(60)
    rows = Rows(pl.DataFrame({"x": range(60)}), labels, times)
    answers = np.linspace(0.1, 0.9, 60)
    blocks = Blocks.draw(np.arange(60) // 10, 200, 1)
    assert np.isnan(intervals(Binary(), rows, answers, blocks, 0.95)["auc"].value)
    labels[-1] = 1  # one positive, in one block of six: a third of the draws have none
    found = intervals(Binary(), rows, answers, blocks, 0.95)
    assert (found["auc"].value, found["auc"].low, found["auc"].high) == (1.0, -np.inf, np.inf)
    assert np.isfinite(found["log_loss"].high)
    one = intervals(Binary(), rows.at(slice(59, 60)), answers[59:], Blocks.draw(np.zeros(1), 200, 1), 0.95)
    assert one["log_loss"].value == pytest.approx(-np.log(0.9))
    assert one["log_loss"].high == np.inf


def test_a_list_is_drawn_with_the_block_that_it_lies_in(plant: Callable[..., Any]) -> None:
    made = plant("ranking")
    problem, rows, answers = made.fit.problem, made.holdout, made.answers
    blocks = Blocks.draw(rows.groups % 7, 200, 1)
    found = intervals(problem, rows, answers, blocks, 0.95)["ndcg"]
    relevant = [name for name in np.unique(rows.groups) if rows.labels[rows.groups == name].any()]
    lists = Blocks(blocks.block[np.searchsorted(rows.groups, relevant)], blocks.weights)
    by_hand = lists.mean(problem.parts(rows, answers)["ndcg"], 0.95)
    assert (found.value, found.low) == pytest.approx((by_hand.value, by_hand.low))


def test_lists_without_a_relevant_row_are_not_judged(plant: Callable[..., Any]) -> None:
    made = plant("ranking")
    rows = made.holdout
    nothing = Rows(rows.frame, np.zeros(len(rows)), rows.times, rows.groups)
    assert intervals(made.fit.problem, nothing, made.answers, drawn_blocks(nothing, made.spec), 0.95) == {}
