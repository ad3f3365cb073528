"""What is drawn of a model's answers: how it ranks, what it confuses, and how far off it is.

Curves are thinned to `POINTS` points that lie evenly along them, the first and the last included, and
every point is one that was measured. Rows of equal score stand on the same side of every threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PerennialError

POINTS = 200
CLASSES = 30
BINS = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Roc:
    """The receiver operating characteristic from (0, 0) to (1, 1), each [points] (Fawcett, 2006).

    Rows of at least `threshold` are called positive; the first threshold, infinite, calls none so.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision against rising recall, each [points] (Davis and Goadrich, 2006).

    The first point is that of the highest score; the last, of all rows, has the base rate's precision.
    """

    recall: Floats
    precision: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many rows of an actual class were called which class: [actual, predicted], by `classes`."""

    classes: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Actual values over bins of rising prediction: means and the 10 % and 90 % quantiles, each [bins].

    `levels` and `residuals` [levels] are the quantiles of actual minus predicted over all rows.
    """

    predicted: Floats
    actual: Floats
    low: Floats
    high: Floats
    levels: Floats
    residuals: Floats


def roc(labels: NDArray[Any], scores: NDArray[Any]) -> Roc:
    """The ROC of labels [n] (above 0 is positive) by scores [n] of any scale.

    PerennialError when a score is not finite, or when there is one class only.

    >>> found = roc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    >>> found.false_positive_rate.tolist(), found.true_positive_rate.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    thresholds, positives, negatives = _counts(labels, scores)
    if not (positives[-1] and negatives[-1]):
        raise PerennialError(f"a ROC needs rows of both classes; all {positives[-1] + negatives[-1]} are one")
    found = (
        np.append(0.0, negatives / negatives[-1]),
        np.append(0.0, positives / positives[-1]),
        np.append(np.inf, thresholds),
    )
    return Roc(*_thinned(*found))


def precision_recall(labels: NDArray[Any], scores: NDArray[Any]) -> PrecisionRecall:
    """Precision and recall of labels [n] (above 0 is positive) at every score [n].

    PerennialError when a score is not finite, or when no row is positive.

    >>> found = precision_recall(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    >>> found.recall.tolist(), found.precision.round(2).tolist()
    ([0.5, 1.0, 1.0], [1.0, 0.67, 0.5])
    """
    thresholds, positives, negatives = _counts(labels, scores)
    if not positives[-1]:
        raise PerennialError(f"precision and recall need positive rows; none of {negatives[-1]} is")
    found = positives / positives[-1], positives / (positives + negatives), thresholds
    return PrecisionRecall(*_thinned(*found))


def confusion_at(
    labels: NDArray[Any], scores: NDArray[Any], threshold: float, classes: tuple[str, str] = ("no", "yes")
) -> Confusion:
    """What is confused when scores [n] of at least `threshold` are called the second class.

    >>> confusion_at(np.array([0, 1, 1]), np.array([0.2, 0.5, 0.4]), 0.5).counts.tolist()
    [[1, 0], [1, 1]]
    """
    called = np.asarray(scores) >= threshold
    return confusion((np.asarray(labels) > 0).astype(int), called.astype(int), classes)


def confusion(actual: NDArray[Any], predicted: NDArray[Any], classes: Sequence[str]) -> Confusion:
    """What is confused, from the positions in `classes` of the actual and the called ones, both [n].

    Of more than 30 classes the most frequent 29 are kept; what is left is counted as `other`.
    PerennialError when a position is that of no class.

    >>> confusion(np.array([0, 1, 2]), np.array([0, 2, 2]), ("a", "b", "c")).counts.tolist()
    [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    """
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    size = len(classes)
    wrong = [position for position in np.union1d(actual, predicted) if not 0 <= position < size]
    if wrong:
        raise PerennialError(f"no class has the position {wrong[0]}: there are {size}, from 0 on")
    names = tuple(classes)
    if size > CLASSES:
        frequent = np.sort(np.argsort(-np.bincount(actual, minlength=size), kind="stable")[: CLASSES - 1])
        place = np.full(size, CLASSES - 1)
        place[frequent] = np.arange(CLASSES - 1)
        actual, predicted = place[actual], place[predicted]
        names, size = (*(classes[position] for position in frequent), "other"), CLASSES
    counts = np.bincount(actual * size + predicted, minlength=size * size).reshape(size, size)
    return Confusion(names, counts)


def agreement(actual: NDArray[Any], predicted: NDArray[Any]) -> Agreement:
    """How actual values [n] lie about the predicted ones [n], over at most 20 bins of equal mass.

    PerennialError when a value is not finite, or when there is no row.

    >>> agreement(np.array([1.0, 3.0]), np.array([1.0, 2.0])).residuals[[0, -1]].tolist()
    [0.0, 1.0]
    """
    truth, answers = _finite(actual, "actual value"), _finite(predicted, "prediction")
    ranked = np.sort(answers)
    edges = np.unique(ranked[np.arange(1, BINS) * len(ranked) // BINS])
    bins = np.searchsorted(edges, answers, side="right")
    parts = [bins == each for each in np.unique(bins)]
    levels = np.linspace(0, 1, 41)
    return Agreement(
        np.array([answers[part].mean() for part in parts]),
        np.array([truth[part].mean() for part in parts]),
        np.array([np.quantile(truth[part], 0.1) for part in parts]),
        np.array([np.quantile(truth[part], 0.9) for part in parts]),
        levels,
        np.quantile(truth - answers, levels),
    )


def _counts(
    labels: NDArray[Any], scores: NDArray[Any]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """The distinct scores, falling, and how many positive and negative rows reach each."""
    values, position = np.unique(-_finite(scores, "score"), return_inverse=True)
    positive = np.asarray(labels) > 0
    reached = [
        np.cumsum(np.bincount(position[part], minlength=len(values))) for part in (positive, ~positive)
    ]
    return -values, reached[0], reached[1]


def _finite(values: NDArray[Any], what: str) -> Floats:
    found = np.asarray(values, np.float64)
    if not found.size:
        raise PerennialError(f"there is no {what} to draw")
    if wrong := int((~np.isfinite(found)).sum()):
        raise PerennialError(f"{wrong} of {found.size} {what}s are not finite: draw those that are")
    return found


def _thinned(across: Floats, up: Floats, threshold: Floats) -> tuple[Floats, Floats, Floats]:
    """At most `POINTS` of the points, those nearest to even steps along the curve."""
    if len(across) > POINTS:
        along = np.append(0, np.cumsum(np.abs(np.diff(across)) + np.abs(np.diff(up))))
        chosen = np.searchsorted(along, np.linspace(0, along[-1], POINTS))
        chosen[0], chosen[-1] = 0, len(across) - 1
        kept = np.unique(chosen)
        across, up, threshold = across[kept], up[kept], threshold[kept]
    return across, up, threshold
