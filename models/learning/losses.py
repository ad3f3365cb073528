"""What fits make small: the loss of margins against their targets, with its slope and its curvature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from threadpoolctl import threadpool_limits

from models.problem import Floats, Problem, as_answers
from models.rows import Rows

Loss = Literal["logistic", "focal", "softmax", "squared", "absolute", "pinball", "listwise"]

# How fast a row that is well classified stops to count: Lin et al., "Focal loss for dense object
# detection" (2017), found 2 best.
FOCUS = 2.0
# Below so many standard deviations an absolute error is rounded off, so that it has a slope everywhere.
ROUNDED = 0.01


@dataclass(frozen=True, slots=True)
class Unit:
    """How a value is told from a margin of mean 0 and spread 1: value = mean + scale * margin."""

    mean: float = 0.0
    scale: float = 1.0

    def of(self, margins: Floats) -> Floats:
        """The margins in the label's unit, of the same shape.

        >>> Unit(10.0, 2.0).of(np.array([0.5])).tolist()
        [11.0]
        """
        return self.mean + self.scale * margins

    def back(self, values: Floats) -> Floats:
        """The margins of values in the label's unit, of the same shape."""
        return (values - self.mean) / self.scale


@dataclass(frozen=True, slots=True)
class Truth:
    """What margins are held against: `targets` float64 [n, K], in `unit`; a row weighs `weights` [n].

    Of a listwise loss the targets are each row's share of its list's gain, and `lists` [n] the
    number of the list. Of a pinball loss the targets are the label K times, for the quantiles of `levels`.
    """

    loss: Loss
    targets: Floats
    weights: Floats
    unit: Unit = Unit()
    lists: NDArray[np.int64] | None = None
    levels: tuple[float, ...] = ()

    @property
    def outputs(self) -> int:
        """How many margins a row has: K."""
        return int(self.targets.shape[1])

    def at(self, places: NDArray[np.intp]) -> "Truth":
        """That of some of the rows, by position."""
        lists = None if self.lists is None else self.lists[places]
        return replace(self, targets=self.targets[places], weights=self.weights[places], lists=lists)

    def in_unit(self, unit: Unit) -> "Truth":
        """The same, with the targets in another unit."""
        return replace(self, targets=unit.back(self.unit.of(self.targets)), unit=unit)


def mean_loss(problem: Problem, rows: Rows, margins: Floats, focal: bool = False) -> float:
    """What margins [n, K] lose on rows by the problem's own measure, or by the focal loss; rows weigh."""
    if focal:
        losses, units = slopes("focal", margins, rows.labels[:, None])[0], np.arange(len(rows))
    else:
        losses, units = problem.losses(rows, as_answers(problem.link, margins)), problem.units(rows)
    return float(np.average(losses, weights=None if rows.weights is None else rows.weights[units]))


def slopes(
    loss: Loss, margins: Floats, targets: Floats, levels: Sequence[float] = ()
) -> tuple[Floats, Floats, Floats]:
    """The loss of each row [n], and its first and second derivative by each margin [n, K].

    The second is kept above 0 where the focal loss is not convex. Absolute errors are rounded off
    below `ROUNDED` (Charbonnier's loss). A pinball loss is half the absolute error and a tilt by its
    level. It bends nowhere but there; the second derivative of its mean over many labels is their
    density, for which stands that of Laplace's law in the middle, half over the mean size of the errors.
    """
    match loss:
        case "logistic":
            losses = np.logaddexp(0, margins) - targets * margins
            chance = expit(margins)
            return losses[:, 0], chance - targets, chance * (1 - chance)
        case "focal":
            return _focal(margins, targets)
        case "softmax":
            chance = softmax(margins, axis=1)
            losses = -(targets * log_softmax(margins, axis=1)).sum(1)
            return losses, chance * targets.sum(1, keepdims=True) - targets, chance * (1 - chance)
        case "squared":
            off = margins - targets
            return 0.5 * (off**2).sum(1), off, np.ones_like(off)
        case "absolute":
            off = margins - targets
            size = np.sqrt(off**2 + ROUNDED**2)
            return size[:, 0] - ROUNDED, off / size, ROUNDED**2 / size**3
        case "pinball":
            off, tilt = margins - targets, 0.5 - np.asarray(levels)
            size = np.sqrt(off**2 + ROUNDED**2)
            losses, density = 0.5 * (size - ROUNDED) + tilt * off, 0.5 / size.mean(0)
            return losses.sum(1), 0.5 * off / size + tilt, np.broadcast_to(density, off.shape)
        case "listwise":
            raise ValueError("a list is more than its rows: see `listwise`")


def listwise(margins: Floats, targets: Floats, lists: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """What each row adds to its list's loss [n], and the slope by each margin [n, 1].

    The cross-entropy of a list's shares of gain and the softmax of its scores, which bounds nDCG:
    Cao et al., "Learning to rank: from pairwise approach to listwise approach" (2007); Bruch et al.,
    "An analysis of the softmax cross entropy loss for learning-to-rank with binary relevance" (2019).
    """
    highest = np.full(int(lists.max()) + 1, -np.inf)
    np.maximum.at(highest, lists, margins[:, 0])
    raised = margins[:, 0] - highest[lists]
    sums = np.bincount(lists, np.exp(raised))
    logs = raised - np.log(sums)[lists]
    gains = np.bincount(lists, targets[:, 0])
    return -targets[:, 0] * logs, (gains[lists] * np.exp(logs))[:, None] - targets


def least(
    truth: Truth,
    margins: Callable[[Floats], Floats],
    slope: Callable[[Floats], Floats],
    start: Floats,
    penalty: Floats,
    iterations: int,
    bounds: Sequence[tuple[float | None, float | None]] | None = None,
) -> tuple[Floats, int]:
    """The weights [p] of least loss, within their bounds if there are any, and how many steps that took.

    `margins` turns weights into margins [n, K], `slope` the losses' slope by these into that by the
    weights. To the rows' losses half of `penalty` [p] times each squared weight is added. It is found by
    L-BFGS-B, to which a million bounds of nothing would be half of the work.
    """
    total = truth.weights.sum()

    def fall(weights: Floats) -> tuple[float, Floats]:
        said = margins(weights)
        if truth.lists is not None:
            losses, by_margin = listwise(said, truth.targets, truth.lists)
        else:
            losses, by_margin, _ = slopes(truth.loss, said, truth.targets, truth.levels)
        loss = losses @ truth.weights + 0.5 * penalty @ weights**2
        return loss / total, (slope(by_margin * truth.weights[:, None]) + penalty * weights) / total

    options = {"maxiter": iterations, "gtol": 1e-5, "ftol": 1e-10}
    with threadpool_limits(1):  # the order in which threads add up would be seen in the last bits
        found = minimize(fall, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, np.float64), int(found.nit)


def _focal(margins: Floats, targets: Floats) -> tuple[Floats, Floats, Floats]:
    """Of -(1 - p)^FOCUS log p, where p is the probability that is given to what is so.

    A target between 0 and 1 is so much of a positive, and the rest of a negative.
    """
    losses, first, second = (np.zeros_like(margins) for _ in range(3))
    for sign, share in ((1.0, targets), (-1.0, 1 - targets)):
        log, true, false = -np.logaddexp(0, -sign * margins), expit(sign * margins), expit(-sign * margins)
        faded = false**FOCUS
        losses -= share * faded * log
        first += share * sign * faded * (FOCUS * true * log - false)
        second += share * faded * true * (false * (2 * FOCUS + 1 + FOCUS * log) - FOCUS**2 * true * log)
    return losses[:, 0], first, np.maximum(second, 1e-6)
