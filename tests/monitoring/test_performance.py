"""Outcomes meet their predictions by key, and only those that were known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.errors import IntegrityError, PerennialError
from models.evaluate import measures
from monitoring.performance import realised, relative_log_loss

START = datetime(2013, 3, 1, 5, tzinfo=UTC)
KEY = ("day", "flight")
DAYS, FLIGHTS = 20, 60
LATER = START + timedelta(days=DAYS + 1)


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
    found = realised(predictions, outcomes, KEY, LATER, "America/New_York")
    joined = predictions.join(outcomes, on=KEY)
    expected = measures(joined["label"].to_numpy().astype(float), joined["prediction"].to_numpy())
    assert {name: found.measures[name] for name in expected} == pytest.approx(expected)
    assert (found.scored, found.labelled, found.labelled_share) == (1_200, 1_200, 1.0)
    assert sum(point.rows for point in found.calibration) == 1_200
    for name in ("auc", "log_loss", "relative_log_loss"):
        low, high = found.intervals[name]
        assert low < found.measures[name] < high
    assert found == realised(predictions, outcomes, KEY, LATER, "America/New_York")


def test_an_outcome_counts_from_the_instant_it_is_known(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    instant = outcomes["known_at"].sort()[299]
    assert realised(predictions, outcomes, KEY, instant).labelled == 300
    assert realised(predictions, outcomes, KEY, instant - timedelta(microseconds=1)).labelled == 299


def test_without_outcomes_there_are_no_measures(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    found = realised(predictions, outcomes, KEY, START)
    assert (found.labelled, found.labelled_share, found.measures, found.calibration) == (0, 0.0, {}, ())


def test_of_a_corrected_outcome_the_newest_known_counts(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    corrected = outcomes.with_columns(pl.col("known_at") + timedelta(days=30), label=~pl.col("label"))
    both = pl.concat([corrected, outcomes])
    before = realised(predictions, both, KEY, LATER)
    after = realised(predictions, both, KEY, LATER + timedelta(days=60))
    assert before.measures == realised(predictions, outcomes, KEY, LATER).measures
    assert after.measures["auc"] == pytest.approx(1 - before.measures["auc"])
    assert after.labelled == 1_200


def test_outcomes_of_flights_that_were_not_scored_are_left_aside(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    found = realised(predictions.filter(pl.col("day") < 5), outcomes, KEY, LATER)
    assert (found.scored, found.labelled) == (300, 300)


def test_a_key_predicted_twice_is_refused(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    twice = pl.concat([predictions, predictions.head(2)])
    with pytest.raises(IntegrityError, match="2 of 1202 rows repeat a key"):
        realised(twice, outcomes, KEY, LATER)


def test_a_missing_column_is_named(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    with pytest.raises(PerennialError, match="outcomes: no column known_at"):
        realised(predictions, outcomes.drop("known_at"), KEY, LATER)


def test_bad_days_make_the_interval_wide(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    """The same number of late flights, gathered on whole days, leaves one less sure."""
    gathered = outcomes.sort("known_at").with_columns(label=pl.col("day") % 4 == 0)
    random = np.random.default_rng(8).permutation(gathered["label"].to_numpy())
    scattered = gathered.with_columns(label=pl.Series(random))

    def width(known: pl.DataFrame) -> float:
        low, high = realised(predictions, known, KEY, LATER, "America/New_York").intervals["log_loss"]
        return high - low

    assert width(gathered) > 2 * width(scattered)


def test_a_day_is_a_day_of_the_time_zone(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    one_day = predictions.filter(pl.col("day") == 0)  # 00:00 to 23:00 in New York, over midnight in UTC
    local = realised(one_day, outcomes, KEY, LATER, "America/New_York")
    assert np.isnan(local.intervals["auc"]).all()
    assert np.isnan(local.intervals["relative_log_loss"]).all()
    assert np.isfinite(realised(one_day, outcomes, KEY, LATER, "UTC").intervals["auc"]).all()


def test_one_class_only_leaves_what_needs_two_undefined(
    predictions: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    found = realised(predictions, outcomes.with_columns(label=pl.lit(False)), KEY, LATER)
    assert np.isnan([found.measures["auc"], found.measures["relative_log_loss"]]).all()
    assert np.isnan(found.intervals["relative_log_loss"]).all()
    assert np.isfinite(found.measures["log_loss"])


@pytest.mark.parametrize("rate", [0.13, 0.33])
def test_the_constant_rate_scores_one_whatever_the_rate(rate: float) -> None:
    labels = np.arange(100) < 100 * rate
    constant = measures(labels.astype(float), np.full(100, rate))
    assert relative_log_loss(constant["log_loss"], constant["base_rate"]) == pytest.approx(1)
