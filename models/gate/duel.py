"""The gate's comparison of a challenger with the champion: each check a number, its limit, a sentence."""

from dataclasses import dataclass

import numpy as np

from core.spec import Gate
from models.gate.checks import Check, Contender, Floats
from models.measures.paired import Blocks, Estimates, Interval
from models.measures.probabilities import BINS, auc, equal_bins
from models.measures.subgroups import subgroups
from models.problem import Problem
from models.rows import Rows

CONSTANT = "the best constant"
MIN_SLICE_ROWS = 200
CHEAPER = 2.0  # how much smaller or faster counts: latencies of one file vary by up to half from run to run
AS_CHEAP = 1.25


@dataclass(frozen=True, slots=True)
class Duel:
    """Two models' answers to the same rows; `theirs` are the champion's, or always the best constant.

    `blocks` are those of the rows. `price` is the loss for each millisecond more.
    """

    problem: Problem
    rules: Gate
    rows: Rows
    blocks: Blocks
    ours: Contender
    theirs: Contender
    price: float = 0.0

    @property
    def saved(self) -> Floats:
        """By how much the loss of each unit [u] is lower with ours."""
        ours, theirs = (self.problem.losses(self.rows, each.answers) for each in (self.ours, self.theirs))
        return theirs - ours

    @property
    def of_units(self) -> Blocks:
        """The blocks of the units."""
        return Blocks(self.blocks.block[self.problem.units(self.rows)], self.blocks.weights)

    @property
    def gain(self) -> Interval:
        """The mean of what is saved."""
        return self.of_units.mean(self.saved, self.rules.confidence)

    @property
    def credit(self) -> float:
        """The loss that ours may be worse by for being faster, or must be better by for being slower."""
        ours, theirs = self.ours.milliseconds, self.theirs.milliseconds
        return 0.0 if ours is None or theirs is None else self.price * (theirs - ours)


def better(duel: Duel) -> Check:
    """The loss is surely lower, or surely not higher by the margin of a simpler, cheaper or newer model."""
    gain, credit = duel.gain, duel.credit
    why, margin = _preferred(duel)
    limit = 0.0 - margin - credit  # and not -0.0, which reads badly
    detail = (
        f"gain {gain} in {duel.problem.metric} over {duel.theirs.id}; its low end must be above {limit:.2g}"
    )
    detail += f", as it is {why}" if why else ""
    detail += f", with {abs(credit):.4f} for being {'faster' if credit > 0 else 'slower'}" if credit else ""
    return Check("better", gain.low > limit, gain.low, limit, detail, gain.low, gain.high)


def _preferred(duel: Duel) -> tuple[str | None, float]:
    """Why ours would be taken of two equals, and the loss that it may be worse by for that."""
    ours, theirs, rules = duel.ours, duel.theirs, duel.rules
    lighter = _lighter(ours, theirs)
    allowed = rules.margin if lighter else 0.0
    newer = ours.fitted_until > theirs.fitted_until and ours.complexity <= theirs.complexity
    if newer and not ours.recalibrated and rules.newer_margin > allowed:
        return "newer", rules.newer_margin
    return lighter, allowed


def _lighter(ours: Contender, theirs: Contender) -> str | None:
    """`simpler`; or, if as simple, `cheaper`: half as large or half as slow, and in neither dearer."""
    if ours.complexity != theirs.complexity:
        return "simpler" if ours.complexity < theirs.complexity else None
    costs = [
        (one, other)
        for one, other in ((ours.milliseconds, theirs.milliseconds), (ours.megabytes, theirs.megabytes))
        if one is not None and other is not None
    ]
    halved = any(one * CHEAPER <= other for one, other in costs)
    return "cheaper" if halved and all(one <= other * AS_CHEAP for one, other in costs) else None


def ranking(duel: Duel, must_gain: bool) -> Check:
    """The AUC is not surely lower by more than the margin; or, if it `must_gain`, is surely higher."""
    labels, ours, theirs = duel.rows.labels, duel.ours.answers, duel.theirs.answers
    gain = duel.blocks.auc_gain(labels, ours, theirs, duel.rules.confidence)
    told = f"AUC {auc(labels, ours):.4f}, {gain} against {duel.theirs.id}"
    if must_gain:
        detail = f"{told}; the low end must be above 0"
        return Check("ranking", gain.low > 0, gain.low, 0, detail, gain.low, gain.high)
    allowed = duel.rules.margin + max(duel.credit, 0.0)
    detail = f"{told}; it may fall by {allowed:.2g}, or by what chance explains"
    return Check("ranking", not worse(gain, allowed), gain.value, -allowed, detail, gain.low, gain.high)


def slices(duel: Duel) -> Check:
    """No slice of the rows is surely worse by more than the slice margin.

    The confidence is that of all slices together (Bonferroni). SpecError for an unknown column.
    """
    margin, (names, gains) = duel.rules.slice_margin, _sliced(duel)
    ranked = sorted(zip(names, gains, strict=True), key=lambda pair: pair[1].value)
    if not ranked:
        return Check("slices", True, 0.0, -margin, f"no slice has {MIN_SLICE_ROWS} rows")
    faults = [(name, gain) for name, gain in ranked if worse(gain, margin)]
    worst = ", ".join(f"{name} {gain}" for name, gain in (faults or ranked)[:3])
    detail = f"{len(faults)} of {len(ranked)} slices are surely worse by over {margin:g}; the worst: {worst}"
    lowest = (faults or ranked)[0][1]
    return Check("slices", not faults, lowest.value, -margin, detail, lowest.low, lowest.high)


def _sliced(duel: Duel) -> tuple[list[str], list[Interval]]:
    """The slices that have enough units, with what each gains: intervals that hold together."""
    if not duel.rules.slices:
        return [], []
    saved, blocks = duel.saved, duel.of_units
    frame, names = duel.rows.frame[duel.problem.units(duel.rows)], list[str]()
    parts = list[Estimates]()
    for column in duel.rules.slices:
        found = subgroups(frame, column, of="gate.slices").largest(MIN_SLICE_ROWS, len(saved))
        names += [f"{column}={name}" for name in found.names]
        parts.append(blocks.means(saved, found.part, len(found.names)))
    return names, Estimates.joined(parts).jointly(duel.rules.confidence)


def calibration(duel: Duel) -> Check:
    """The calibration error of each output is within its limit, or not above the other's.

    The limit is widened by what chance adds on few rows and days: the error that a perfectly
    calibrated model stays below in 95 of 100 draws of the blocks.
    """
    allowed, problem, rows = duel.rules.max_calibration_error, duel.problem, duel.rows
    off = problem.off(rows, duel.ours.answers)
    if not off.shape[1]:
        return Check("calibration", True, 0.0, allowed, "there is nothing to calibrate")
    ours = [_error(duel, duel.ours, off, output) for output in range(off.shape[1])]
    other = problem.off(rows, duel.theirs.answers)
    theirs = [_error(duel, duel.theirs, other, output)[0] for output in range(off.shape[1])]
    limits = [max(float(np.hypot(allowed, one[1])), two) for one, two in zip(ours, theirs, strict=True)]
    worst = int(np.argmax([error - limit for (error, _), limit in zip(ours, limits, strict=True)]))
    error, limit = ours[worst][0], limits[worst]
    name = f" of {problem.outputs[worst]}" if off.shape[1] > 1 else ""
    detail = (
        f"error{name} {error:.4f}, of {duel.theirs.id} {theirs[worst]:.4f}; at most {limit:.4f}, "
        f"from {allowed:g} and what chance adds"
    )
    return Check("calibration", error <= limit, error, limit, detail)


def _error(duel: Duel, contender: Contender, off: Floats, output: int) -> tuple[float, float]:
    """The expected calibration error over bins of equal mass, and how much of it is chance."""
    bins = equal_bins(contender.answers.reshape(len(off), -1)[:, output])
    shares = np.bincount(bins, off[:, output], BINS) / len(off)
    rows = np.bincount(bins, minlength=BINS)
    left = off[:, output] - (shares * len(off) / np.maximum(rows, 1))[bins]
    cells, size = duel.blocks.block * BINS + bins, duel.blocks.count * BINS
    sums = np.bincount(cells, left, size).reshape(-1, BINS) / len(off)
    drawn = np.abs(duel.blocks.weights @ sums).sum(axis=1)
    return float(np.abs(shares).sum()), float(np.quantile(drawn, duel.rules.confidence))


def worse(gain: Interval, margin: float) -> bool:
    """Is it a loss of more than the margin, and one that chance does not explain?"""
    return gain.value < -margin and gain.high < 0


def constant(base: Floats, answers: Floats) -> Floats:
    """Always saying `base`, in the shape of these answers."""
    return np.broadcast_to(base, answers.shape).astype(np.float64)
