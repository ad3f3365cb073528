"""Outcomes meet their predictions by key, and only those that were known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError, PerennialError
from core.learning import Outcome
from models.answers import to_column
from models.measures.probabilities import measures
from models.problem import Problem
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.quantiles import Quantiles
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from monitoring.performance.realised import Judgement, realised

START = datetime(2013, 3, 1, 5, tzinfo=UTC)
KEY = ("day", "flight")
DAYS, FLIGHTS = 20, 60
LATER = START + timedelta(days=DAYS + 1)
OUTCOME = Outcome.model_validate({"label": "late", "known_at": "known_at", "maturity": "1d"})
BY = Judgement(Binary(), OUTCOME, KEY)
LOCAL = Judgement(Binary(), OUTCOME, KEY, "America/New_York")


@pytest.fixture(scope="module")
def predictions() -> pl.DataFrame:
    """20 days of 60 predicted flights, New York days."""
    random = np.random.default_rng(5)
    rows = pl.DataFrame({"day": range(DAYS)}).join(pl.DataFrame({"flight": range(FLIGHTS)}), how="cross")
    times = pl.lit(START) + pl.duration(days=pl.col("day"), minutes=pl.col("flight") * 23)
    return rows.with_columns(event_time=times, prediction=pl.Series(random.beta(2, 5, rows.height)))


@pytest.fixture(scope="module")
def outcomes(predictions: pl.DataFrame) -> pl.DataFrame:
    """Their outcomes, drawn from the predicted probabilities, known three hours later."""
    late = np.random.default_rng(6).random(predictions.height) < predictions["prediction"].to_numpy()
    known_at = pl.col("event_time") + timedelta(hours=3)
    return predictions.select(*KEY, known_at=known_at, label=pl.Series(late)).sample(
        fraction=1, shuffle=True, seed=1
    )


def test_measures_are_those_of_the_joined_rows(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    found = realised(predictions, outcomes, LATER, LOCAL)
    joined = predictions.join(outcomes, on=KEY)
    expected = measures(joined["label"].to_numpy().astype(float), joined["prediction"].to_numpy())
    assert {name: found.measures[name] for name in expected} == pytest.approx(expected)
    assert (found.scored, found.labelled, found.labelled_share) == (1_200, 1_200, 1.0)
    assert sum(point.rows for point in found.calibration) == 1_200
    for name in ("auc", "log_loss", "relative_loss"):
        low, high = found.intervals[name]
        assert low < found.measures[name] < high
    assert found == realised(predictions, outcomes, LATER, LOCAL)


def test_an_outcome_counts_from_the_instant_it_is_known(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    instant = outcomes["known_at"].sort()[299]
    assert realised(predictions, outcomes, instant, BY).labelled == 300
    assert realised(predictions, outcomes, instant - timedelta(microseconds=1), BY).labelled == 299


def test_without_outcomes_there_are_no_measures(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    found = realised(predictions, outcomes, START, BY)
    assert (found.labelled, found.labelled_share, found.measures, found.calibration) == (0, 0.0, {}, ())


def test_of_a_corrected_outcome_the_newest_known_counts(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    corrected = outcomes.with_columns(pl.col("known_at") + timedelta(days=30), label=~pl.col("label"))
    both = pl.concat([corrected, outcomes])
    before = realised(predictions, both, LATER, BY)
    after = realised(predictions, both, LATER + timedelta(days=60), BY)
    assert before.measures == realised(predictions, outcomes, LATER, BY).measures
    assert after.measures["auc"] == pytest.approx(1 - before.measures["auc"])
    assert after.labelled == 1_200


def test_outcomes_of_flights_that_were_not_scored_are_left_aside(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    found = realised(predictions.filter(pl.col("day") < 5), outcomes, LATER, BY)
    assert (found.scored, found.labelled) == (300, 300)


def test_a_key_predicted_twice_is_refused(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    twice = pl.concat([predictions, predictions.head(2)])
    with pytest.raises(IntegrityError, match="2 of 1202 rows repeat a key"):
        realised(twice, outcomes, LATER, BY)


def test_a_missing_column_is_named(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    with pytest.raises(PerennialError, match="outcomes: no column known_at"):
        realised(predictions, outcomes.drop("known_at"), LATER, BY)


def test_bad_days_make_the_interval_wide(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    """The same number of late flights, gathered on whole days, leaves one less sure."""
    gathered = outcomes.sort("known_at").with_columns(label=pl.col("day") % 4 == 0)
    random = np.random.default_rng(8).permutation(gathered["label"].to_numpy())
    scattered = gathered.with_columns(label=pl.Series(random))

    def width(known: pl.DataFrame) -> float:
        low, high = realised(predictions, known, LATER, LOCAL).intervals["log_loss"]
        return high - low

    assert width(gathered) > 2 * width(scattered)


def test_a_day_is_a_day_of_the_time_zone(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    one_day = predictions.filter(pl.col("day") == 0)  # 00:00 to 23:00 in New York, over midnight in UTC
    local = realised(one_day, outcomes, LATER, LOCAL)
    assert np.isnan(local.intervals["auc"]).all()
    assert np.isnan(local.intervals["relative_loss"]).all()
    assert np.isfinite(realised(one_day, outcomes, LATER, BY).intervals["auc"]).all()


def test_one_class_only_leaves_what_needs_two_undefined(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    found = realised(predictions, outcomes.with_columns(label=pl.lit(False)), LATER, BY)
    assert np.isnan([found.measures["auc"], found.measures["relative_loss"]]).all()
    assert np.isnan(found.intervals["relative_loss"]).all()
    assert np.isfinite(found.measures["log_loss"])


def of_problem(problem: Problem, **outcome: object) -> Judgement:
    known = {"label": "x", "known_at": "known_at", "maturity": "1d", **outcome}
    return Judgement(problem, Outcome.model_validate(known), KEY)


@pytest.mark.parametrize("kind", ["multiclass", "regression", "quantiles", "ranking"])
def test_predictions_of_every_problem_are_measured(
    predictions: pl.DataFrame, outcomes: pl.DataFrame, kind: str
) -> None:
    chance = predictions["prediction"].to_numpy()
    both = np.stack([1 - chance, chance], axis=1)
    by, answers, label = {
        "multiclass": (
            of_problem(Multiclass("log_loss", ("on time", "late")), classes=["on time", "late"]),
            to_column(both),
            pl.when("label").then(pl.lit("late")).otherwise(pl.lit("on time")),
        ),
        "regression": (of_problem(Regression()), to_column(chance), pl.col("label").cast(pl.Float64)),
        "quantiles": (
            of_problem(Quantiles((0.6, 0.95))),
            to_column(np.stack([chance > 0.4, chance > 0.05], axis=1) * 1.0),
            pl.col("label").cast(pl.Float64),
        ),
        "ranking": (of_problem(Ranking(), group=["day"]), to_column(chance), pl.col("label").cast(pl.Int64)),
    }[kind]
    found = realised(predictions.with_columns(answers), outcomes.with_columns(label=label), LATER, by)
    assert found.labelled == 1_200
    low, high = found.intervals["relative_loss"]
    assert low < found.measures["relative_loss"] < high < 1
    assert set(found.intervals) - {"relative_loss"} <= set(found.measures)
    if kind == "multiclass":
        binary = realised(predictions, outcomes, LATER, BY)
        assert found.measures["log_loss"] == pytest.approx(binary.measures["log_loss"])
        assert found.measures["relative_loss"] == pytest.approx(binary.measures["relative_loss"], abs=1e-6)
