"""A slope and an intercept for each margin: temperature, Platt and vector scaling, and least squares."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from models.calibration.form import Floats, Link, Method, sigmoid

# For margins of spread 1. A slope at this bound would be lower still if it could: 0, or upside down.
LEAST_SLOPE = 1e-6
# How much steeper the slope of one class may be than that of another. More comes of margins that hardly vary,
# such as those of a class that has no rows, and makes much of what float32 cannot hold.
STEEPER = 100.0
_CLOSE = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000}

Scaling = tuple[Floats, Floats]


def fit_scaling(method: Method, margins: Floats, targets: Floats, link: Link) -> Scaling | None:
    """The slope [K] and the intercept [K] of least loss; None when a slope is not positive, or too steep.

    `margins` are [n, K], `targets` as `targets_of` gives them. For probabilities the loss is the log
    loss on Platt's smoothed targets (1999), which keep it finite when the classes are separable; for
    values the squared error.
    """
    if method == "shift":
        return _shift(margins, targets, link)
    shift = method != "temperature"
    centre = np.median(margins, axis=0) if shift else np.zeros(margins.shape[1])
    scale = _spread(np.abs(margins - centre), axis=0 if shift else None)
    if np.any(scale <= 1e-9 * np.abs(centre)):
        return None  # margins that are all the same have no slope
    inputs = (margins - centre) / scale
    if link == "identity":
        slope, intercept, unit = *_least_squares(inputs, targets), float(targets.std())
    else:
        slope, intercept, unit = *_likeliest(inputs, targets, link, shift), 1.0
    sane = np.isfinite(slope + intercept) & (slope > LEAST_SLOPE * unit)
    sane &= slope / scale <= STEEPER * (slope / scale).min()
    return (slope / scale, intercept - slope / scale * centre) if sane.all() else None


def targets_of(labels: Floats, link: Link, classes: int) -> Floats:
    """The labels [n] as what the answers should be, [n, K]: one column, or one for each class.

    >>> targets_of(np.array([0.0, 2.0]), "softmax", 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if link != "softmax":
        return labels[:, None]
    return np.equal.outer(labels, np.arange(classes)).astype(np.float64)


def losses(scores: Floats, targets: Floats, link: Link) -> Floats:
    """The loss of each row [n]: log loss in nats, or squared error; scores and targets are [n, K]."""
    if link == "softmax":
        lost: Floats = logsumexp(scores, axis=1) - (targets * scores).sum(axis=1)
    elif link == "sigmoid":
        lost = np.logaddexp(0, scores[:, 0]) - targets[:, 0] * scores[:, 0]
    else:
        lost = (scores[:, 0] - targets[:, 0]) ** 2
    return lost


def _spread(distances: Floats, axis: int | None) -> Floats:
    """The median distance, which a few huge ones do not move; the mean where most are 0."""
    median: Floats = np.asarray(np.median(distances, axis=axis))
    return np.where(median > 0, median, distances.mean(axis=axis))


def _least_squares(inputs: Floats, targets: Floats) -> Scaling:
    mean, middle = inputs.mean(axis=0), targets.mean(axis=0)
    slope = ((inputs - mean) * (targets - middle)).sum(axis=0) / ((inputs - mean) ** 2).sum(axis=0)
    return slope, middle - slope * mean


def _shift(margins: Floats, targets: Floats, link: Link) -> Scaling | None:
    """The intercepts of least loss, which add up to 0, beside slopes of 1."""
    width = margins.shape[1]
    found = minimize(
        _objective(margins, _smoothed(targets), link, 0),
        np.zeros(width),
        jac=True,
        method="L-BFGS-B",
        options=_CLOSE,
    ).x
    return (np.ones(width), found - found.mean()) if np.isfinite(found).all() else None


def _likeliest(inputs: Floats, targets: Floats, link: Link, shift: bool) -> Scaling:
    """By L-BFGS-B, from slope 1 and intercept 0; without `shift` one slope alone."""
    width = inputs.shape[1]
    slopes = width if shift else 1
    start = np.concatenate([np.ones(slopes), np.zeros(width if shift else 0)])
    bounds = [(LEAST_SLOPE, None)] * slopes + [(None, None)] * (len(start) - slopes)
    found = minimize(
        _objective(inputs, _smoothed(targets), link, slopes),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=_CLOSE,
    ).x
    return np.resize(found[:slopes], width), found[slopes:] if shift else np.zeros(width)


def _objective(
    inputs: Floats, targets: Floats, link: Link, slopes: int
) -> Callable[[Floats], tuple[float, Floats]]:
    """The mean log loss by slopes, which are 1 where there are none, and intercepts; and its gradient."""

    def objective(weights: Floats) -> tuple[float, Floats]:
        slope = weights[:slopes] if slopes else 1.0
        scores = inputs * slope + (weights[slopes:] if len(weights) > slopes else 0.0)
        chances = softmax(scores, axis=1) if link == "softmax" else sigmoid(scores)
        gaps = (chances - targets) / len(inputs)
        by_slope = (gaps * inputs).sum(axis=0).reshape(slopes, -1).sum(axis=1) if slopes else np.zeros(0)
        by_intercept = gaps.sum(axis=0)[: len(weights) - slopes]
        return float(losses(scores, targets, link).mean()), np.concatenate([by_slope, by_intercept])

    return objective


def _smoothed(targets: Floats) -> Floats:
    """Platt's targets: (rows + 1) / (rows + 2) for the class of a row, the rest for the others alike."""
    classes = targets if targets.shape[1] > 1 else np.hstack([1 - targets, targets])
    rows = (classes * classes.sum(axis=0)).sum(axis=1, keepdims=True)
    smoothed: Floats = np.where(classes > 0, rows + 1, 1 / (classes.shape[1] - 1)) / (rows + 2)
    return smoothed[:, -targets.shape[1] :]
