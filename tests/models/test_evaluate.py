"""Measures against scikit-learn's, and the block bootstrap against one done by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from core.errors import PerennialError
from models.evaluate import (
    auc,
    calibration_curve,
    calibration_error,
    intervals,
    log_loss,
    measures,
    normalised_entropy,
)

Array = NDArray[Any]


@pytest.fixture(scope="module", params=["distinct", "ties"])
def scored(request: pytest.FixtureRequest) -> tuple[Array, Array, Array]:
    """Labels, calibrated probabilities, and days that have their own weather."""
    random = np.random.default_rng(2)
    days = np.sort(random.integers(0, 20, 1_000))
    margins = random.normal(-1, 1, 1_000) + random.normal(0, 1, 20)[days]
    probabilities = 1 / (1 + np.exp(-margins))
    labels = (random.random(1_000) < probabilities).astype(float)
    return labels, probabilities.round(1) if request.param == "ties" else probabilities, days


def test_measures_agree_with_scikit_learn(scored: tuple[Array, Array, Array]) -> None:
    labels, probabilities, _ = scored
    found = measures(labels, probabilities)
    assert list(found) == ["rows", "base_rate", "auc", "log_loss", "brier", "calibration_error"]
    assert found["rows"] == 1_000
    assert found["base_rate"] == labels.mean()
    assert found["auc"] == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-12)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, probabilities), abs=1e-12)
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    assert found["log_loss"] == pytest.approx(sklearn_log_loss(labels, clipped), abs=1e-12)


def test_auc_of_one_class_is_unknown_and_of_a_constant_a_half() -> None:
    assert np.isnan(measures(np.ones(5), np.full(5, 0.9))["auc"])
    assert auc(np.array([0, 1, 0, 1]), np.full(4, 0.3)) == 0.5


def test_a_sure_and_wrong_answer_costs_much_but_not_everything() -> None:
    assert log_loss(np.array([1, 0]), np.array([0.0, 1.0])) == pytest.approx(-np.log(1e-15), rel=1e-3)


def test_calibration_error_of_a_constant_is_its_distance_from_the_base_rate() -> None:
    labels = np.repeat([1.0, 0.0], [30, 70])  # in an order that cutting ties into bins would punish
    assert calibration_error(labels, np.full(100, 0.3)) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(labels, np.full(100, 0.5)) == pytest.approx(0.2)


def test_calibration_error_sees_what_auc_cannot(scored: tuple[Array, Array, Array]) -> None:
    labels, probabilities, _ = scored
    assert auc(labels, probabilities / 2) == pytest.approx(auc(labels, probabilities))
    assert calibration_error(labels, probabilities / 2) > 0.1 > 2 * calibration_error(labels, probabilities)


def test_calibration_error_is_the_weighted_gap_of_the_curve(scored: tuple[Array, Array, Array]) -> None:
    labels, probabilities, _ = scored
    curve = calibration_curve(labels, probabilities)
    assert curve.rows.sum() == 1_000
    assert len(curve.rows) <= 15
    assert np.all(np.diff(curve.predicted) > 0)
    gaps = np.abs(curve.predicted - curve.observed) @ curve.rows / 1_000
    assert calibration_error(labels, probabilities) == pytest.approx(gaps, abs=1e-12)


def test_normalised_entropy_of_the_base_rate_is_one() -> None:
    labels = np.array([1.0, 0, 0, 0])
    assert normalised_entropy(labels, np.full(4, 0.25)) == pytest.approx(1)
    assert normalised_entropy(labels, np.array([0.7, 0.1, 0.1, 0.1])) < 1
    assert np.isnan(normalised_entropy(np.ones(3), np.full(3, 0.5)))


def test_intervals_are_those_of_drawing_whole_days(scored: tuple[Array, Array, Array]) -> None:
    labels, probabilities, days = scored
    found = intervals(labels, probabilities, days, 200, 0.9, seed=4)
    counts = np.random.default_rng(4).multinomial(20, np.full(20, 1 / 20), size=200)
    by_hand = []
    for count in counts:
        rows = np.repeat(np.arange(1_000), count[days])
        by_hand.append(measures(labels[rows], probabilities[rows]))
    for name in ("auc", "log_loss", "brier"):
        low, high = np.quantile([drawn[name] for drawn in by_hand], [0.05, 0.95])
        assert found[name] == pytest.approx((low, high), abs=1e-9)
    assert 0 <= found["calibration_error"][0] < found["calibration_error"][1]


def test_rows_that_hang_together_leave_more_doubt() -> None:
    random = np.random.default_rng(8)
    days = np.repeat(np.arange(30), 100)
    labels = (random.random(3_000) < np.repeat(random.beta(1, 3, 30), 100)).astype(float)
    probabilities = np.full(3_000, 0.25)
    by_day = intervals(labels, probabilities, days, 300, 0.95, seed=1)["log_loss"]
    by_row = intervals(labels, probabilities, np.arange(3_000), 300, 0.95, seed=1)["log_loss"]
    assert by_day[1] - by_day[0] > 3 * (by_row[1] - by_row[0])


def test_a_single_block_says_nothing_about_certainty() -> None:
    found = intervals(np.array([0.0, 1.0]), np.array([0.2, 0.8]), np.zeros(2), 100, 0.95, seed=1)
    assert set(found) == {"auc", "log_loss", "brier", "calibration_error"}
    assert np.isnan(list(found.values())).all()


def test_blocks_of_one_class_do_not_spoil_the_auc_interval() -> None:
    labels, probabilities = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.6, 0.4, 0.9])
    low, high = intervals(labels, probabilities, np.array([0, 0, 1, 1]), 100, 0.95, seed=1)["auc"]
    assert low == high == 0.75  # the draws that hold both blocks; the others have no AUC


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [([0.5, np.nan], "1 of 2"), ([0.5, 1.5], "1 of 2"), ([0.5], "alike"), ([], "alike")],
)
def test_what_is_no_probability_is_refused(probabilities: list[float], message: str) -> None:
    with pytest.raises(PerennialError, match=message):
        measures(np.array([0.0, 1.0]), np.array(probabilities))


def test_no_rows_are_refused() -> None:
    with pytest.raises(PerennialError, match="no rows"):
        measures(np.array([]), np.array([]))
