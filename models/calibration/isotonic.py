"""Isotonic calibration as a curve that keeps the order of the rows."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from models.calibration.form import Floats, Link, sigmoid

# Rows of a bin at the least, so that its rate says something; and bins, at the least so many that they
# show more than a scaling can.
BIN_ROWS, MIN_BINS, MAX_BINS = 100, 5, 50
# Slopes of the curve, where 1 is what the scores say: a steep one would make much of the rounding of a
# margin, a flat one would make ties.
MIN_SLOPE, MAX_SLOPE = 0.05, 10.0
# How far a rate is held off 0 and 1, so that its log-odds are finite.
SURE = 1e-12


def fit_curve(scores: Floats, labels: Floats, link: Link) -> tuple[Floats, Floats] | None:
    """The knots and values of the curve from scores [n] to labels [n]; None when rows are few or alike.

    Isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass
    probability estimates", 2002) gives a step function, whose flats tie rows and whose jumps turn a
    rounding of 1e-7 into another answer. So its steps, over bins of rows, become points that straight
    lines join: the mean of what the scores predict in a bin against the rate of its step, both in
    log-odds for the link sigmoid. Two bins between which the curve would be steeper than MAX_SLOPE are
    pooled, and of every score MIN_SLOPE is left as it was; so the scores should be scaled already.
    """
    from sklearn.isotonic import isotonic_regression  # whose import takes most of a second

    predictions = sigmoid(scores) if link == "sigmoid" else scores
    rows, predicted, observed = _bins(predictions, labels)
    if len(rows) < MIN_BINS:
        return None
    if link == "sigmoid":
        observed = _shrunk(rows, predicted, observed)
    steps = isotonic_regression(observed, sample_weight=rows)
    starts = np.arange(len(rows))
    while True:
        knots, values = (_means(part, rows, starts, link) for part in (predicted, steps))
        rises, least = np.diff(values), 1e-9 * np.abs(knots).max()
        excess = rises + least - MAX_SLOPE * np.diff(knots)
        if not np.any(excess > 0):
            break
        starts = np.delete(starts, 1 + int(excess.argmax()))
    if len(knots) < 2:
        return None
    return knots, MIN_SLOPE * knots + (1 - MIN_SLOPE) * values


def _bins(predictions: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows, mean prediction and mean label of bins of equal mass, each [bins]; equal rows share a bin."""
    bins = int(np.clip(len(labels) // BIN_ROWS, 1, MAX_BINS))
    edges = np.unique(np.quantile(predictions, np.arange(1, bins) / bins))
    place = np.unique(np.searchsorted(edges, predictions, side="right"), return_inverse=True)[1]
    rows = np.bincount(place).astype(np.float64)
    return rows, np.bincount(place, predictions) / rows, np.bincount(place, labels) / rows


def _shrunk(rows: Floats, predicted: Floats, observed: Floats) -> Floats:
    """Rates drawn to the predicted one as by one more row of the rarer class, and by half at the most.

    Where both classes are alike these are Platt's targets; where one is rare, a bin without it does
    not count as proof that there is none.
    """
    rarer = np.clip(np.minimum(predicted, 1 - predicted), SURE, None)
    weight = np.minimum(rows, 1 / rarer)
    return (rows * observed + weight * predicted) / (rows + weight)


def _means(part: Floats, rows: Floats, starts: NDArray[np.int64], link: Link) -> Floats:
    """The mean of each block of bins that begins at `starts`, in log-odds for the link sigmoid."""
    means: Floats = np.add.reduceat(part * rows, starts) / np.add.reduceat(rows, starts)
    odds: Floats = logit(np.clip(means, SURE, 1 - SURE)) if link == "sigmoid" else means
    return odds
