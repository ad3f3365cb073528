"""The gate's checks of the rows, the answers and the files: each a number, its limit, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from core.learning import Constraints
from models.measures.paired import Blocks
from models.problem import Problem
from models.rows import Rows

Floats = NDArray[np.float64]

MIN_BLOCKS = 7
COPY = 1e-6  # what rounding to float32 may make of the same answer
OFF_RECORD = 1e-4


@dataclass(frozen=True, slots=True)
class Served:
    """A file that would serve: does it agree with the native model, how fast is it, how large?"""

    name: str
    parity: bool
    difference: float
    p99_us: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Contender:
    """A model before the gate: its answers to the rows, given just now, and what is known of it.

    It was fitted on no row whose event time is `fitted_until` or later; `fitted`, where it is on
    record, holds the keys of the rows that it was fitted on. Of two equal models the one of lower
    `complexity` wins. `files` are those that would serve it. `earlier` are its answers to the rows
    before the challenger's `fitted_until` that its fit only stopped and calibrated on. `off_record`
    is how far its answers to its reference rows are from those on record since it was registered.
    One that is `recalibrated` has another's fit, which newer rows have taught nothing.
    """

    id: str
    answers: Floats
    complexity: int
    fitted_until: datetime
    files: tuple[Served, ...] = ()
    fitted: pl.DataFrame | None = None
    earlier: Floats | None = None
    off_record: float = 0.0
    recalibrated: bool = False

    @property
    def milliseconds(self) -> float | None:
        """What a row takes in 99 of 100 cases, by the slowest file; None where no file was timed."""
        return max((file.p99_us / 1_000 for file in self.files), default=0.0) or None

    @property
    def megabytes(self) -> float | None:
        """The size of the largest file; None without a file."""
        return max((file.bytes / 1e6 for file in self.files), default=None)


@dataclass(frozen=True, slots=True)
class Check:
    """One answer of the gate; `detail` is for people, `value` and `limit` for machines.

    `low` and `high` are the interval of what was estimated, where there is one.
    """

    name: str
    passed: bool
    value: float
    limit: float
    detail: str
    low: float | None = None
    high: float | None = None


def unseen(rows: Rows, contenders: Sequence[Contender]) -> Check:
    """No contender was fitted on any of the rows: not by its time, nor by the keys on record.

    PerennialError when the keys on record have no column of the rows.
    """
    seen = {each.id: _fitted_on(rows, each) for each in contenders}
    faults = [
        f"{each.id} was fitted on {seen[each.id]} of the {len(rows)} rows (it says until "
        f"{each.fitted_until:%Y-%m-%d %H:%M %Z})"
        for each in contenders
        if seen[each.id]
    ]
    detail = "; ".join(faults) or f"all {len(rows)} rows are newer than what the models were fitted on"
    return Check("unseen rows", not faults, float(sum(seen.values())), 0, detail)


def _fitted_on(rows: Rows, contender: Contender) -> int:
    early = (rows.times < contender.fitted_until).to_numpy()
    if contender.fitted is None:
        return int(early.sum())
    keys = [name for name in contender.fitted.columns if name in rows.frame.columns]
    if not keys:
        raise PerennialError(
            f"the rows that {contender.id} was fitted on are known by {contender.fitted.columns}, "
            f"and the rows to judge by have none of these columns"
        )
    numbered = rows.frame.select(keys).with_row_index(":row")
    known = numbered.join(contender.fitted.select(keys), on=keys, how="semi", nulls_equal=True)
    early[known[":row"].to_numpy()] = True
    return int(early.sum())


def sanity(problem: Problem, rows: Rows, contenders: Sequence[Contender]) -> Check:
    """All answers are sound, and the first contender's are not all the same."""
    found = {each.id: problem.fault(rows, each.answers) for each in contenders}
    faults = [f"{id_}: {fault}" for id_, fault in found.items() if fault]
    first = contenders[0]
    if not faults and (first.answers == first.answers[:1]).all():
        faults = [f"{first.id} says the same for every row"]
    detail = "; ".join(faults) or "all answers are numbers in range, and they vary"
    return Check("sanity", not faults, float(len(faults)), 0, detail)


def evidence(problem: Problem, rows: Rows, blocks: Blocks) -> Check:
    """There are enough blocks to tell skill from luck, and labels that tell something."""
    lack, count = problem.lack(rows), len(np.unique(blocks.block[problem.units(rows)]))
    detail = lack or f"{len(rows)} rows in {count} blocks of time, at least {MIN_BLOCKS}"
    return Check("evidence", lack is None and count >= MIN_BLOCKS, float(count), MIN_BLOCKS, detail)


def scored_afresh(challenger: Contender, champion: Contender | None) -> Check:
    """Challenger and champion are two models, each answering as it did when it was registered."""
    apart = _apart(challenger, champion) if champion else 1.0
    faults = [
        f"the answers of {each.id} are {each.off_record:.1g} off those on its record"
        for each in (challenger, champion)
        if each and each.off_record > OFF_RECORD * max(1.0, float(np.ptp(each.answers)))
    ]
    if champion and champion.id == challenger.id:
        faults.append(f"{champion.id} is the champion itself")
    elif champion and apart <= COPY:
        faults.append(f"{challenger.id} answers as {champion.id} does, row by row: it is a copy")
    told = f"two models, whose answers are up to {apart:.2g} apart" if champion else "there is no champion"
    return Check("scored afresh", not faults, apart, COPY, "; ".join(faults) or told)


def _apart(challenger: Contender, champion: Contender) -> float:
    """The largest difference of their answers, as a share of the range of the challenger's."""
    return float(np.abs(challenger.answers - champion.answers).max() / np.ptp(challenger.answers))


def parity(files: Sequence[Served]) -> Check:
    """Every file that would serve answers as the native model does; there is at least one."""
    faults = [file for file in files if not file.parity]
    told = ", ".join(f"{file.name} is {file.difference:.1e} off the native model" for file in faults or files)
    detail = told or "there is no file to serve"
    return Check("parity", bool(files) and not faults, float(len(faults)), 0, detail)


def latency(rules: Constraints, files: Sequence[Served]) -> Check:
    """One row is answered in time by every file, in 99 of 100 cases."""
    slowest = max((file.p99_us / 1_000 for file in files), default=0.0)
    told = ", ".join(f"{file.name} {file.p99_us / 1_000:.3f} ms" for file in files)
    detail = f"99 % of single rows take at most {told or 'nothing'}; allowed {rules.max_latency_ms:g} ms"
    return Check("latency", slowest <= rules.max_latency_ms, slowest, rules.max_latency_ms, detail)


def size(rules: Constraints, files: Sequence[Served]) -> Check:
    """Every file is small enough."""
    largest = max((file.bytes / 1e6 for file in files), default=0.0)
    told = ", ".join(f"{file.name} {file.bytes / 1e6:.2f} MB" for file in files)
    detail = f"{told or 'no file'}; allowed {rules.max_size_mb:g} MB"
    return Check("size", largest <= rules.max_size_mb, largest, rules.max_size_mb, detail)
