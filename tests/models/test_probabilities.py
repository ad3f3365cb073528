"""Measures of probabilities against scikit-learn's, and by their definition."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from core.errors import PerennialError
from models.measures.probabilities import (
    auc,
    calibration_curve,
    calibration_error,
    log_loss,
    measures,
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
