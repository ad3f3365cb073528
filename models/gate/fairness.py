"""Fairness: how the groups of a sensitive attribute fare, and whether they differ beyond a limit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.gating import Fairness
from core.spec import Gate
from models.gate.checks import Check, Floats
from models.gate.duel import Duel
from models.measures.paired import Blocks, Estimates, Interval
from models.measures.subgroups import Subgroups, subgroups
from models.problem import Problem
from models.rows import Rows

MOST_GROUPS = 100  # of an attribute, the largest
OF = "gate.fairness.attributes"


@dataclass(frozen=True, slots=True)
class Group:
    """The rows with one value of an attribute; one of too few rows is shown and not `judged`, nor
    is a rate over too few of them.

    `rates` has an interval for what the problem knows of: `selection_rate`, the share that is
    selected; `true_positive_rate` and `false_positive_rate`, the same among those that should be
    and that should not; `calibration_gap`, the mean answer less what came of it, as a share. Where
    there are classes, each rate is that `of` a class.
    """

    attribute: str
    group: str
    rows: int
    judged: bool
    rates: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean over rows: of `values` [n], where `among` [n]; `name` is that of the measure and the class."""

    measure: str
    name: str
    values: Floats
    among: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Gap:
    """Two groups that differ in a rate: by how much, and how much is allowed."""

    told: str
    size: Interval
    limit: float

    @property
    def refused(self) -> bool:
        """Is it beyond the limit, and not by chance alone?"""
        return self.size.value > self.limit and self.size.low > 0


def groups(
    problem: Problem, rows: Rows, answers: Floats, attribute: str, blocks: Blocks, rules: Gate
) -> list[Group]:
    """The groups of an attribute with their rates, the largest first, at most 100 of them.

    `blocks` are those of the rows. SpecError when the rows have no such column.
    """
    found = subgroups(rows.frame, attribute, OF).largest(1, MOST_GROUPS)
    rates: list[dict[str, Interval]] = [{} for _ in found.names]
    for rate in _rates(problem, rows, answers):
        means = _means(blocks, rate, found)
        for place, interval in enumerate(means.intervals(rules.confidence)):
            if not np.isnan(interval.value):
                rates[place][rate.name] = interval
    least = rules.fairness.min_rows
    return [
        Group(attribute, name, int(count), bool(count >= least), told)
        for name, count, told in zip(found.names, found.rows, rates, strict=True)
    ]


def fairness(match: Duel) -> Check:
    """No two judged groups differ by more than a limit of the spec, unless chance explains it.

    A limit holds whatever the champion does. The confidence is that of all pairs, rates and
    attributes together.
    """
    attributes = match.rules.fairness.attributes
    found = [gap for attribute in attributes for gap in _gaps(match, attribute)]
    if not found:
        return Check("fairness", True, 0.0, 0.0, "no limit is set, or no two groups are large enough")
    faults = sorted((gap for gap in found if gap.refused), key=lambda gap: gap.limit - gap.size.value)
    worst = faults[0] if faults else max(found, key=lambda gap: gap.size.value - gap.limit)
    detail, size = "; ".join(gap.told for gap in faults[:3] or [worst]), worst.size
    return Check("fairness", not faults, size.value, worst.limit, detail, size.low, size.high)


def _limits(rules: Fairness) -> dict[str, float]:
    limits = {
        "selection_rate": rules.max_selection_gap,
        "true_positive_rate": rules.max_true_positive_gap,
        "false_positive_rate": rules.max_false_positive_gap,
        "calibration_gap": rules.max_calibration_gap,
    }
    return {measure: limit for measure, limit in limits.items() if limit is not None}


def _rates(problem: Problem, rows: Rows, answers: Floats) -> Iterator[Rate]:
    """The rates that a problem knows of, by class where there are several."""
    named = [f" of {output}" for output in problem.outputs] if len(problem.outputs) > 1 else [""]
    positive, every = problem.targets(rows) > 0, np.ones(len(rows), np.bool_)
    for output, selected in enumerate(problem.selected(rows, answers).T):
        wanted, name = positive[:, output], named[output]
        yield Rate("selection_rate", f"selection_rate{name}", selected, every)
        yield Rate("true_positive_rate", f"true_positive_rate{name}", selected, wanted)
        yield Rate("false_positive_rate", f"false_positive_rate{name}", selected, ~wanted)
    for output, off in enumerate(problem.off(rows, answers).T):
        yield Rate("calibration_gap", f"calibration_gap{named[output]}", off, every)


def _means(blocks: Blocks, rate: Rate, groups: Subgroups) -> Estimates:
    return blocks.means(rate.values, groups.among(rate.among), len(groups.names))


def _gaps(match: Duel, attribute: str) -> Iterator[Gap]:
    """The widest gap of an attribute in each rate that has a limit."""
    rules, limits = match.rules, _limits(match.rules.fairness)
    groups = subgroups(match.rows.frame, attribute, OF)
    ours, theirs = (
        [rate for rate in _rates(match.problem, match.rows, each.answers) if rate.measure in limits]
        for each in (match.ours, match.theirs)
    )
    confidence = 1 - (1 - rules.confidence) / max(len(ours) * len(rules.fairness.attributes), 1)
    for one, other in zip(ours, theirs, strict=True):
        judged = Subgroups(groups.names, groups.among(one.among)).largest(
            rules.fairness.min_rows, MOST_GROUPS
        )
        limit = limits[one.measure]
        widest = _widest(_means(match.blocks, one, judged), confidence, limit)
        if widest is None:
            continue
        size, high, low = widest
        values = _means(match.blocks, other, judged).values
        told = (
            f"{one.name} of {attribute} {judged.names[high]} is {size.value:.3f} above that of "
            f"{judged.names[low]} ({size.low:.3f} to {size.high:.3f}), at most {limit:g}; "
            f"by {match.theirs.id} {values[high] - values[low]:.3f}"
        )
        yield Gap(told, size, limit)


def _widest(means: Estimates, confidence: float, limit: float) -> tuple[Interval, int, int] | None:
    """The widest gap of two groups, first of those beyond limit and chance: which is higher, which lower."""
    gaps, one, other = means.gaps()
    sizes = gaps.jointly(confidence)
    known = [place for place, size in enumerate(sizes) if not np.isnan(size.value)]
    if not known:
        return None
    turned = {place: _upward(sizes[place]) for place in known}
    place = max(known, key=lambda at: (Gap("", turned[at], limit).refused, turned[at].value))
    high, low = int(one[place]), int(other[place])
    return (turned[place], high, low) if sizes[place].value >= 0 else (turned[place], low, high)


def _upward(size: Interval) -> Interval:
    return size if size.value >= 0 else Interval(-size.value, -size.high, -size.low)
