"""How good a model is on parts of the rows: those with one value of a column, and those of one period."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.spec import Spec
from models.measures.intervals import drawn_blocks, intervals, local
from models.measures.paired import Blocks, Interval
from models.measures.subgroups import Subgroups, subgroups
from models.problem import Floats, Problem, in_one_number
from models.rows import Rows

Mask = NDArray[np.bool_]

# Of a column of many values the largest and the worst are shown, so many of each.
LARGEST, WORST = 10, 10
# Fewer rows are too few to be called the worst.
MIN_ROWS = 30
# Periods from the one to try first; the first that makes 8 to 40 points is taken.
PERIODS = ("1d", "1w", "1mo", "1q", "1y", "6h", "1h")
FEWEST, MOST = 8, 40
# A period of so few blocks is cut into stretches instead, and those are drawn.
FEW_BLOCKS, STRETCHES = 5, 24


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows with something in common, named `name`.

    `observed` and `predicted` are the means of label and answer, None where these are of classes
    or of no unit.
    """

    name: str
    rows: int
    observed: float | None
    predicted: float | None
    measures: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Sliced:
    """The slices by one column; `hidden` is how many of its values are not shown."""

    column: str
    shown: tuple[Slice, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class Periods:
    """The slices by time, in its order, named by the local time at which they begin.

    `drawn` says what their intervals draw anew: the gate's `blocks`, or `stretches` of a period
    that holds too few blocks.
    """

    every: str
    drawn: str
    shown: tuple[Slice, ...]


def by_column(problem: Problem, rows: Rows, answers: Floats, column: str, spec: Spec, of: str) -> Sliced:
    """The rows by the values of a column, the largest slice first; missing values are one, too.

    SpecError when the rows have no such column; `of` is the key of the spec that names it.
    """
    found = subgroups(rows.frame, column, of)
    shown = _shown(problem, rows, answers, found)
    told = [_slice(problem, found.names[code], rows, answers, found.part == code, spec) for code in shown]
    return Sliced(column, tuple(told), len(found.names) - len(told))


def over_time(problem: Problem, rows: Rows, answers: Floats, spec: Spec) -> Periods:
    """The rows by the period that makes 8 to 40 points, or else comes nearest to it from below."""
    shown = rows.times.dt.convert_time_zone(spec.batches.timezone).dt.replace_time_zone(None)
    starts = {every: shown.dt.truncate(every) for every in PERIODS}
    points = {every: count for every, start in starts.items() if (count := start.n_unique()) <= MOST}
    enough = [every for every, count in points.items() if count >= FEWEST]
    every = enough[0] if enough else max(points, key=lambda each: points[each], default=PERIODS[4])
    begun = starts[every].dt.to_string("%Y-%m-%dT%H:%M")
    names = begun.unique(maintain_order=True)
    fine = drawn_blocks(rows, spec).count < FEW_BLOCKS * len(names)
    found = [_slice(problem, n, rows, answers, (begun == n).to_numpy(), spec, fine) for n in names]
    return Periods(every, "stretches" if fine else "blocks", tuple(found))


def _slice(
    problem: Problem, name: str, rows: Rows, answers: Floats, among: Mask, spec: Spec, fine: bool = False
) -> Slice:
    part, told = rows.at(among), answers[among]
    blocks = _stretches(part, spec) if fine else drawn_blocks(part, spec)
    means = problem.kind in ("binary", "regression")
    return Slice(
        name=name,
        rows=len(part),
        observed=float(part.labels.mean()) if means else None,
        predicted=float(in_one_number(problem, told).mean()) if means else None,
        measures=intervals(problem, part, told, blocks, spec.gate.confidence),
    )


def _stretches(part: Rows, spec: Spec) -> Blocks:
    """The rows in stretches of equal time between the first and the last of them."""
    times = local(part.times, spec.batches.timezone)
    names = (times - times.min()) * STRETCHES // (np.ptp(times) + 1)
    return Blocks.draw(names, spec.gate.draws, spec.training.seed)


def _shown(problem: Problem, rows: Rows, answers: Floats, found: Subgroups) -> list[int]:
    """The positions of the values to be shown, the largest first."""
    counts, codes = found.rows, found.part
    by_size: list[int] = np.argsort(-counts, kind="stable").tolist()
    if len(counts) <= LARGEST + WORST:
        return by_size
    units = problem.units(rows)
    judged = np.bincount(codes[units], minlength=len(counts))
    losses = np.bincount(codes[units], problem.losses(rows, answers), len(counts))
    means = np.where((counts >= MIN_ROWS) & (judged > 0), losses / np.maximum(judged, 1), -np.inf)
    worst = [code for code in np.argsort(-means, kind="stable")[:WORST].tolist() if means[code] > -np.inf]
    kept = {*by_size[:LARGEST], *worst}
    return [code for code in by_size if code in kept]
