"""What a fit holds margins against: the labels or a teacher's answers, in a unit that suits any learner."""

from dataclasses import replace

import numpy as np

from core.errors import PerennialError
from models.family import Job
from models.learning.losses import Truth, Unit
from models.problem import Problem
from models.problems.quantiles import Quantiles
from models.rows import Floats, Rows


def truth_of(job: Job) -> Truth:
    """What the margins of a job's train rows are held against: its targets if it has some, or the labels.

    Rows of a ranking are held against their list (see `listwise`); but a teacher's scores are to be met,
    and so are its quantiles.
    """
    rows, problem = job.train, job.problem
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    given = None if job.targets is None else job.targets.reshape(len(rows), -1)
    match problem.kind:
        case "binary":
            found = rows.labels[:, None] if given is None else given
            return Truth("focal" if job.focal else "logistic", found, weights)
        case "multiclass":
            one_hot = (rows.labels[:, None] == np.arange(len(problem.outputs))).astype(np.float64)
            return Truth("softmax", one_hot if given is None else given, weights)
        case "regression" if isinstance(problem, Quantiles) and given is None:
            return _of_quantiles(rows, weights, problem.levels)
        case "regression":
            return _in_unit(problem, rows.labels[:, None] if given is None else given, weights)
        case "ranking":
            return _of_lists(rows, weights) if given is None else _in_unit(problem, given, weights)


def best_constant(truth: Truth) -> Floats:
    """The margins [K] that, said of every row, lose least; a class without rows has a low but finite one."""
    total = truth.weights.sum()
    mean = (truth.targets * truth.weights[:, None]).sum(0) / total
    match truth.loss:
        case "logistic" | "focal":
            share = (mean * len(truth.targets) + 1) / (len(truth.targets) + 2)
            return np.asarray(np.log(share) - np.log1p(-share), np.float64)
        case "softmax":
            return np.asarray(np.log((mean * len(truth.targets) + 1) / (len(truth.targets) + mean.size)))
        case "pinball":
            return np.array([_quantile(truth.targets[:, 0], level, truth.weights) for level in truth.levels])
        case "squared" if len(mean) > 1:  # a teacher's quantiles
            return np.asarray(mean, np.float64)
        case _:  # values are told from their mean or median, and a list has no constant
            return np.zeros(truth.targets.shape[1])


def later_base(job: Job, truth: Truth) -> Floats:
    """The margins [K] of the constant that stopping begins with: of classes, that of the validation rows.

    Other shares of the classes than in training are for the calibration to mend. Held against those of
    training, a fit would be stopped by how near it comes to the new shares, whatever else it tells. One
    that goes on from another has the shares that this one learnt, and keeps them.
    """
    if job.start is not None or job.targets is not None or truth.loss not in ("logistic", "focal", "softmax"):
        return best_constant(truth)
    return best_constant(truth_of(replace(job, train=job.validation)))


def _in_unit(problem: Problem, values: Floats, weights: Floats) -> Truth:
    """Values as deviations from their mean (or median), in their spread: alike whatever their unit is."""
    unit = _unit(values.mean(axis=1), weights)
    if problem.metric == "mae":
        unit = replace(unit, mean=_quantile(values[:, 0], 0.5, weights))
        return Truth("absolute", unit.back(values), weights, unit)
    return Truth("squared", unit.back(values), weights, unit)


def _of_quantiles(rows: Rows, weights: Floats, levels: tuple[float, ...]) -> Truth:
    """The labels for each quantile, as deviations from their mean, in their spread."""
    unit = _unit(rows.labels, weights)
    targets = np.tile(unit.back(rows.labels)[:, None], len(levels))
    return Truth("pinball", targets, weights, unit, levels=levels)


def _unit(values: Floats, weights: Floats) -> Unit:
    """The mean and the spread of values [n]."""
    mean = float(np.average(values, weights=weights))
    spread = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    return Unit(mean, spread if spread > 1e-12 * max(1.0, abs(mean)) else 1.0)


def _quantile(values: Floats, level: float, weights: Floats) -> float:
    """The value [n] up to which the share `level` of all weight lies."""
    return float(np.quantile(values, level, method="inverted_cdf", weights=weights))


def _of_lists(rows: Rows, weights: Floats) -> Truth:
    """Each row's share of its list's gain 2^grade - 1, times its weight; 0 where nothing is relevant."""
    if rows.groups is None:
        raise PerennialError("the rows of a ranking need their groups: say outcome.group")
    lists = np.unique(rows.groups, return_inverse=True)[1].astype(np.int64)
    gains = np.exp2(rows.labels) - 1
    totals = np.bincount(lists, gains)[lists]
    shares = np.divide(gains, totals, out=np.zeros_like(gains), where=totals > 0)
    return Truth("listwise", (shares * weights)[:, None], np.ones(len(rows)), lists=lists)
