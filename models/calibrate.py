"""Platt scaling: from a model's log-odds to probabilities that mean what they say."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Platt:
    """probability = sigmoid(slope * margin + intercept)."""

    slope: float
    intercept: float

    def apply(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each margin, of the same shape.

        >>> Platt(2.0, 0.0).apply(np.array([-1000.0, 0.0, 1000.0])).tolist()
        [0.0, 0.5, 1.0]
        """
        return sigmoid(self.slope * np.asarray(margins, np.float64) + self.intercept)


def sigmoid(margins: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-margin)), of the same shape, without overflow.

    >>> sigmoid(np.array([0.0, np.log(3.0)])).round(12).tolist()
    [0.5, 0.75]
    """
    small = np.exp(-np.abs(margins))
    return np.where(margins >= 0, 1.0, small) / (1.0 + small)


def fit_platt(margins: NDArray[np.float64], labels: NDArray[np.float64]) -> Platt:
    """The scaling of least log loss on these rows [n]; the identity, with a warning, where none is sane.

    Maximum likelihood on Platt's smoothed targets (1999), (n1 + 1) / (n1 + 2) and 1 / (n0 + 2),
    which keep it finite when the classes are separable, by Newton's method with halved steps as in
    Lin, Lin and Weng, "A note on Platt's probabilistic outputs" (2007). A slope that is not
    positive would turn the order of the rows round, so the identity is returned instead.
    ValueError when a margin is not finite.

    >>> fit_platt(np.array([3.0, 1.0, -1.0, -3.0]), np.array([0, 0, 1, 1], np.float32))  # upside down
    Platt(slope=1.0, intercept=0.0)
    """
    margins = np.asarray(margins, np.float64)
    if not np.isfinite(margins).all():
        raise ValueError(f"{(~np.isfinite(margins)).sum()} of {margins.size} margins are not finite")
    centre, scale = float(margins.mean()), float(margins.std())
    if scale <= 1e-9 * max(1.0, abs(centre)):
        return _identity("all margins are the same")
    positives = float(labels.sum(dtype=np.float64))
    high, low = (positives + 1) / (positives + 2), 1 / (labels.size - positives + 2)
    slope, intercept = _newton((margins - centre) / scale, np.where(labels > 0, high, low))
    if slope <= 1e-6:
        return _identity(f"the best slope is {slope / scale:.3g}, which is not positive")
    return Platt(slope / scale, intercept - slope * centre / scale)


def _identity(why: str) -> Platt:
    _log.warning("no calibration, the margins are used as they are: %s", why)
    return Platt(1.0, 0.0)


def _newton(inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> tuple[float, float]:
    """The slope and intercept of least logistic loss for standardised inputs [n]."""
    design = np.column_stack([inputs, np.ones_like(inputs)])
    weights = np.array([0.0, np.log(targets.mean() / (1 - targets.mean()))])
    loss = _loss(design @ weights, targets)
    for _ in range(100):
        chances = sigmoid(design @ weights)
        gradient = design.T @ (chances - targets)
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-10 and _loss(design @ (weights - size * step), targets) > loss:
            size /= 2
        better = _loss(design @ (weights - size * step), targets)
        if loss - better <= 1e-12 * loss:
            break
        weights, loss = weights - size * step, better
    return float(weights[0]), float(weights[1])


def _loss(margins: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    return float(np.sum(np.logaddexp(0, margins) - targets * margins))
