"""How good probabilities are: ranking, sharpness, calibration."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PerennialError

Floats = NDArray[np.floating[Any]]
BINS = 15


@dataclass(frozen=True, slots=True)
class Curve:
    """A calibration curve by bins of rising probability: means, observed rates and rows, each [bins]."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    rows: NDArray[np.int64]


def measures(labels: Floats, probabilities: Floats) -> dict[str, float]:
    """Every measure of these rows [n]: rows, base_rate, auc, log_loss, brier, calibration_error.

    AUC is NaN when there is one class only. PerennialError when there are no rows, or when a
    probability is not between 0 and 1.

    >>> found = measures(np.array([0, 0, 1, 1]), np.array([0.25, 0.5, 0.5, 0.75]))
    >>> found["auc"], found["brier"]
    (0.875, 0.15625)
    """
    labels, probabilities = _checked(labels, probabilities)
    return {
        "rows": float(labels.size),
        "base_rate": float(labels.mean()),
        "auc": auc(labels, probabilities),
        "log_loss": log_loss(labels, probabilities),
        "brier": brier(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
    }


def log_losses(labels: Floats, probabilities: Floats) -> NDArray[np.float64]:
    """The negative log-likelihood of each row [n], in nats; probabilities are held 1e-15 off 0 and 1."""
    chances = np.clip(np.asarray(probabilities, np.float64), 1e-15, 1 - 1e-15)
    return -np.where(np.asarray(labels) > 0, np.log(chances), np.log1p(-chances))


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """The mean negative log-likelihood, in nats.

    >>> round(log_loss(np.array([1, 0]), np.array([0.5, 0.5])), 6)
    0.693147
    """
    return float(log_losses(labels, probabilities).mean())


def brier(labels: Floats, probabilities: Floats) -> float:
    """The mean squared difference between probability and outcome."""
    return float(np.mean(_gaps(labels, probabilities) ** 2))


def auc(labels: Floats, probabilities: Floats) -> float:
    """The chance that a positive row scores above a negative one, ties counting half; NaN for one class.

    >>> auc(np.array([0, 1, 1]), np.array([0.5, 0.5, 0.9]))
    0.75
    """
    positive, chances = np.asarray(labels) > 0, np.asarray(probabilities, np.float64)
    above, below = np.sort(chances[positive]), np.sort(chances[~positive])
    pairs = len(above) * len(below)
    return float(_wins(above, below).sum() / pairs) if pairs else float("nan")


def calibration_error(labels: Floats, probabilities: Floats) -> float:
    """The expected calibration error (Naeini et al., 2015) over 15 bins of equal mass.

    The mean, over rows, of the distance between the mean probability and the observed rate of the
    row's bin. Rows of equal probability share a bin, so the order of the rows does not matter.
    """
    bins = equal_bins(np.asarray(probabilities, np.float64))
    return float(np.abs(np.bincount(bins, _gaps(labels, probabilities))).sum() / len(bins))


def calibration_curve(labels: Floats, probabilities: Floats) -> Curve:
    """The points of a calibration plot over the bins of `calibration_error`.

    >>> curve = calibration_curve(np.array([0, 1, 1, 1]), np.array([0.25, 0.25, 0.75, 0.75]))
    >>> curve.predicted.tolist(), curve.observed.tolist(), curve.rows.tolist()
    ([0.25, 0.75], [0.5, 1.0], [2, 2])
    """
    labels, probabilities = _checked(labels, probabilities)
    bins = np.unique(equal_bins(probabilities), return_inverse=True)[1]
    rows = np.bincount(bins)
    return Curve(np.bincount(bins, probabilities) / rows, np.bincount(bins, labels) / rows, rows)


def _checked(labels: Floats, probabilities: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    truth: NDArray[np.float64] = np.asarray(labels, np.float64)
    chances: NDArray[np.float64] = np.asarray(probabilities, np.float64)
    if truth.shape != chances.shape or truth.ndim != 1:
        raise PerennialError(f"labels {truth.shape} and probabilities {chances.shape} must be [n] alike")
    if truth.size == 0:
        raise PerennialError("there are no rows to evaluate")
    wrong = int((~((chances >= 0) & (chances <= 1))).sum())
    if wrong:
        raise PerennialError(f"{wrong} of {truth.size} probabilities are not between 0 and 1")
    return truth, chances


def _gaps(labels: Floats, probabilities: Floats) -> NDArray[np.float64]:
    return np.asarray(probabilities, np.float64) - np.asarray(labels, np.float64)


def equal_bins(answers: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bin of each answer [n], from 0: 15 of equal mass up to ties, some of which may stay empty."""
    ranked = np.sort(answers)
    edges = ranked[np.arange(1, BINS) * len(ranked) // BINS]
    return np.searchsorted(edges, answers, side="right")


def _wins(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many of the sorted scores `below` each score of `above` beats, a tie counting half."""
    wins = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return np.asarray(wins / 2, np.float64)


def drawn_auc(
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    block: NDArray[np.intp],
    weights: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The AUC of each draw [draws], from the won pairs of each pair of blocks, counted once."""
    order, count = np.argsort(probabilities), weights.shape[1]
    positive, ranked, block = labels[order] > 0, probabilities[order], block[order]
    above, owner, below, other = ranked[positive], block[positive], ranked[~positive], block[~positive]
    won = [np.bincount(owner, _wins(above, below[other == name]), count) for name in range(count)]
    positives = weights @ np.bincount(owner, minlength=count)
    negatives = weights @ np.bincount(other, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            ((weights @ np.stack(won, 1)) * weights).sum(1) / (positives * negatives), np.float64
        )
