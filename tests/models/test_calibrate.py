"""Platt scaling: it finds the truth where there is one, and stays sane where there is none."""

import logging

import numpy as np
import pytest

from models.calibrate import Platt, fit_platt, sigmoid
from models.evaluate import log_loss


def drawn(slope: float, intercept: float, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Margins, and labels that follow them by this slope and intercept."""
    random = np.random.default_rng(11)
    margins = random.normal(0.5, 2.0, rows)
    return margins, (random.random(rows) < sigmoid(slope * margins + intercept)).astype(np.float32)


def test_it_recovers_the_scaling_that_made_the_labels() -> None:
    found = fit_platt(*drawn(0.6, -1.2, 40_000))
    assert found.slope == pytest.approx(0.6, abs=0.03)  # four standard errors
    assert found.intercept == pytest.approx(-1.2, abs=0.06)


def test_no_near_scaling_has_a_lower_loss_and_the_mean_is_right() -> None:
    margins, labels = drawn(0.6, -1.2, 5_000)
    found = fit_platt(margins, labels)
    best = log_loss(labels, found.apply(margins))
    for slope, intercept in [(0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)]:
        near = Platt(found.slope + slope, found.intercept + intercept)
        assert log_loss(labels, near.apply(margins)) > best
    assert found.apply(margins).mean() == pytest.approx(labels.mean(), abs=1e-3)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_it_does_not_depend_on_the_unit_of_the_margins(scale: float) -> None:
    margins, labels = drawn(1.0, 0.0, 2_000)
    np.testing.assert_allclose(
        fit_platt(margins * scale, labels).apply(margins * scale),
        fit_platt(margins, labels).apply(margins),
        rtol=1e-6,
    )


def test_certainty_is_held_back_where_rows_are_few() -> None:
    found = fit_platt(np.array([-1.0, -1.0, 1.0, 1.0]), np.array([0, 0, 1, 1], np.float32))
    assert found.apply(np.array([-1.0, 1.0])) == pytest.approx([1 / 4, 3 / 4])  # Platt's targets
    assert found.intercept == pytest.approx(0, abs=1e-9)


def test_separable_classes_and_extreme_margins_stay_finite() -> None:
    margins = np.array([-800.0, -700.0, 700.0, 800.0])
    with np.errstate(all="raise", under="ignore"):
        found = fit_platt(margins, np.array([0, 0, 1, 1], np.float32))
        probabilities = found.apply(margins)
    assert 0 < found.slope < np.inf
    assert np.all(np.diff(probabilities) >= 0)
    assert np.isfinite(log_loss(np.array([1, 1, 0, 0]), probabilities))


@pytest.mark.parametrize(
    ("margins", "labels"),
    [([3.0, 1.0, -1.0, -3.0], [0, 0, 1, 1]), ([0.7] * 4, [0, 1, 1, 1])],
    ids=["upside down", "constant"],
)
def test_where_no_scaling_is_sane_it_is_the_identity_and_says_so(
    margins: list[float], labels: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = fit_platt(np.array(margins), np.array(labels, np.float32))
    assert found == Platt(1.0, 0.0)
    assert "no calibration" in caplog.text


def test_a_margin_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 margins"):
        fit_platt(np.array([0.0, np.nan]), np.array([0, 1], np.float32))
