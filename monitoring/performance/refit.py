"""A calibration fitted anew to answers and their labels: what intercept and slope alone would win back."""

import numpy as np
from numpy.typing import NDArray

from models.calibration.form import WIDE, Calibration, Method
from models.calibration.scaling import fit_scaling, targets_of
from models.problem import Floats, Problem
from models.problems.quantiles import Quantiles

# As the log losses have it: probabilities are held off 0 and 1.
_OFF = 1e-15
_METHODS: dict[str, tuple[Method, ...]] = {
    "sigmoid": ("platt", "temperature"),
    "softmax": ("platt", "shift"),
    "identity": ("linear",),
}


def refit(problem: Problem, answers: Floats, labels: Floats) -> Calibration | None:
    """The intercept and the slope of the margins that fit these labels [n] best.

    Of probabilities they are Platt's, or of many classes at least a shift each; of values a line; of
    quantiles a shift each. `recalibrated` applies them. None where there is no such thing (scores
    have no unit, a median no mean), or the labels ask for none that keeps the answers' order.

    >>> from models.problems.binary import Binary
    >>> sure = np.tile([0.982, 0.982, 0.018, 0.018], 100)  # and right 3 times of 4
    >>> found = refit(Binary(), sure, np.tile([1.0, 1, 0, 0, 1, 0, 0, 1], 50))
    >>> found is not None and recalibrated(found, sure)[[0, 2]].round(2).tolist()
    [0.75, 0.25]
    """
    if problem.metric in ("ndcg", "mae") or not len(labels):
        return None
    if isinstance(problem, Quantiles):
        off = labels[:, None] - answers
        shifts = [float(np.quantile(off[:, k], level)) for k, level in enumerate(problem.levels)]
        return _calibration(problem, "shift", np.ones(len(shifts)), np.array(shifts))
    margins = as_margins(problem.link, answers)
    targets = targets_of(labels, problem.link, margins.shape[1])
    for method in _METHODS[problem.link]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = fit_scaling(method, margins, targets, problem.link)
        if found:
            return _calibration(problem, method, *found)
    return None


def recalibrated(calibration: Calibration, answers: Floats) -> Floats:
    """Answers [n] or [n, K] as they are once calibrated anew, in the same shape."""
    return calibration.apply(as_margins(calibration.link, answers))


def across(problem: Problem, answers: Floats, labels: Floats, block: NDArray[np.intp]) -> Floats | None:
    """The answers, calibrated anew by rows of other blocks; None where that cannot be.

    Every other block is answered by a fit on those between: what a refit wins on its own rows is
    more than it is worth. Of one block alone the fit is its own.
    """
    found = np.array(answers, np.float64)
    parts = [block % 2 == 0, block % 2 == 1] if len(np.unique(block)) > 1 else [np.ones(len(block), bool)]
    for part, other in zip(parts, reversed(parts), strict=True):
        calibration = refit(problem, answers[other], labels[other])
        if calibration is None:
            return None
        found[part] = recalibrated(calibration, answers[part])
    return found


def as_margins(link: str, answers: Floats) -> Floats:
    """The margins [n, K] of answers that were not calibrated: log-odds, logarithms, or what they are."""
    if link == "sigmoid":
        held = np.clip(answers, _OFF, 1 - _OFF)
        return np.asarray(np.log(held) - np.log1p(-held), np.float64)[:, None]
    if link == "softmax":
        return np.asarray(np.log(np.clip(answers, _OFF, 1)), np.float64)
    return answers if link in WIDE else answers[:, None]


def _calibration(problem: Problem, method: Method, slope: Floats, intercept: Floats) -> Calibration:
    parts = (tuple(float(number) for number in part) for part in (slope, intercept))
    return Calibration(method, problem.link, (0.0,) * len(slope), *parts)
