"""The batches of a table: how long each is, how many come before the first fit, what the gate counts by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import log

import numpy as np
import polars as pl

from core.batches import Calendar, Every
from core.errors import SpecError
from models.gate.checks import MIN_BLOCKS
from proposal import limits
from proposal.first_fit import Ints, Timeline, first_fit

_EVERY: Sequence[Every] = ("1h", "1d", "1w", "1mo", "3mo", "6mo", "1y")
_DAYS = {"1h": 1 / 24, "1d": 1, "1w": 7, "1mo": 30, "3mo": 91, "6mo": 182, "1y": 365}
_COUNTED_FROM = date(2001, 1, 1)


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches that are proposed.

    `counted` are the rows of a batch where there is no time. `rows` are those of each batch; `stray` lie
    outside of the calendar. `blocks` are those that the gate has for the first challenger.
    """

    every: Every
    start: date
    end: date
    rows: tuple[int, ...]
    stray: int
    first: int
    validation: float
    holdout: float
    block: str
    blocks: int
    window: str | None
    counted: int | None = None
    doubt: str = ""


def timeline(times: pl.LazyFrame) -> Timeline:
    """The timeline of rows with `time` and `known` (whether it has a label); null times are left out."""
    ends = times.select(low=pl.col("time").min(), high=pl.col("time").max()).collect(engine="streaming")
    low, high = ends.row(0)
    if low is None:
        raise SpecError("no row has a time that can be read")
    step = "1m" if high - low < timedelta(days=60) else "1h"
    counted = (
        times.drop_nulls("time")
        .group_by(pl.col("time").dt.truncate(step))
        .agg(rows=pl.len(), labelled=pl.col("known").sum())
        .sort("time")
        .collect(engine="streaming")
    )
    ints = (counted[name].cast(pl.Int64).to_numpy() for name in ("rows", "labelled"))
    return Timeline(tuple(counted["time"]), *ints)


def batches(line: Timeline) -> Batches:
    """The batches for a table with times: the length that gives some 8 to 40 of them, with rows enough."""
    if len(line.starts) == 1:
        raise SpecError(
            f"the time is {line.starts[0]:%Y-%m-%d %H:%M} in every row: nothing can be cut by it; name"
            " another TIME, or leave TIME out (batches then go by the order of rows)"
        )
    cuts = [_cut(line, every) for every in _EVERY]
    best = min((each for each in cuts if each), key=_cost)
    calendar, held, stray = best
    return _planned(line, calendar, held, stray)


def counted(labelled: Ints) -> Batches:
    """The batches for rows without a time; `labelled` says of each row whether it has a label [n]."""
    count = len(labelled)
    few, many = limits.BATCHES
    some = int(np.clip(count // (2 * limits.BATCH_ROWS), few, limits.IDEAL))
    each = -(-count // max(some, min(many, count // limits.BATCH_MOST)))
    start = datetime.combine(_COUNTED_FROM, datetime.min.time(), UTC)
    day = timedelta(days=1)
    number = -(-count // each)
    calendar = Calendar("1d", "UTC", _COUNTED_FROM, _COUNTED_FROM + number * day)
    minutes = np.arange(number * 1440)  # of the made time, which the rows of a batch share evenly
    places = np.minimum(minutes // 1440 * each - (-(minutes % 1440 * each) // 1440), count)
    rows = np.diff(places, append=count)
    line = Timeline(
        tuple(start + timedelta(minutes=int(minute)) for minute in minutes[rows > 0]),
        rows[rows > 0],
        np.add.reduceat(labelled, places[rows > 0], dtype=np.int64),
    )
    held = np.minimum(each, count - each * np.arange(number))
    return _planned(line, calendar, held, 0, counted=each)


def _cut(line: Timeline, every: Every) -> tuple[Calendar, Ints, int] | None:
    """The calendar of batches of a length, their rows, and the rows that it leaves out; None: too many."""
    days = (line.starts[-1] - line.starts[0]).days + 1
    if days / _DAYS[every] > 20 * limits.BATCHES[1]:
        return None
    first, last = line.starts[0].date(), line.starts[-1].date() + timedelta(days=1)
    first = {"1mo": first.replace(day=1), "1y": first.replace(month=1, day=1)}.get(every, first)
    if every in ("3mo", "6mo"):
        months = int(every[0])
        first = first.replace(month=(first.month - 1) // months * months + 1, day=1)
    calendar = Calendar(every, "UTC", first, last)
    held = _held(line, calendar)
    calendar, inside = _trimmed(calendar, held)
    return calendar, inside, int(held.sum() - inside.sum())


def _held(line: Timeline, calendar: Calendar) -> Ints:
    starts = np.array([batch.start.timestamp() for batch in calendar.batches()])
    stamps = np.array([start.timestamp() for start in line.starts])
    place = np.searchsorted(starts, stamps, side="right") - 1
    return np.bincount(place, line.rows, len(starts)).astype(np.int64)


def _trimmed(calendar: Calendar, held: Ints) -> tuple[Calendar, Ints]:
    """Without nearly empty batches at the ends, as long as few rows are lost with them."""
    usual, spare = np.median(held[held > 0]) * limits.SPARSE, held.sum() * limits.STRAY
    first, last = 0, len(held)
    while last - first > 2 and held[first] < usual and held[: first + 1].sum() + held[last:].sum() <= spare:
        first += 1
    while (
        last - first > 2 and held[last - 1] < usual and held[:first].sum() + held[last - 1 :].sum() <= spare
    ):
        last -= 1
    every = calendar.batches()
    start, end = every[first].start.date(), every[last - 1].end.date()
    end = end if every[last - 1].end.time() == datetime.min.time() else end + timedelta(days=1)
    cut = Calendar(calendar.every, "UTC", start, end)
    offset = [batch.id for batch in every].index(cut.batches()[0].id)
    return cut, held[offset : offset + len(cut.batches())]


def _cost(cut: tuple[Calendar, Ints, int]) -> float:
    """How far a calendar is from some 16 batches, none empty, of hundreds of rows and not of millions."""
    held = cut[1]
    few, many = limits.BATCHES
    outside = max(log(few / len(held)), log(len(held) / many), 0)
    usual = max(float(np.median(held)), 1)
    unwieldy = max(log(limits.BATCH_ROWS / usual), log(usual / limits.BATCH_MOST), 0)
    return abs(log(len(held) / limits.IDEAL)) + 3 * outside + 2 * unwieldy + 8 * float((held == 0).mean())


def _planned(
    line: Timeline, calendar: Calendar, held: Ints, stray: int, counted: int | None = None
) -> Batches:
    first, (validation, holdout), block, blocks = first_fit(line, calendar)
    doubt = ""
    if len(held) == 1:
        doubt = (
            "all rows are of one batch: there is nothing to be scored after a fit, and no life to be lived"
        )
    elif blocks < MIN_BLOCKS:
        doubt = (
            f"the gate asks for {MIN_BLOCKS} blocks of time on the rows that no fit has seen, and there are"
            f" {blocks}: no challenger can be accepted before more has been delivered"
        )
    window = None
    if held.sum() > 2 * limits.WINDOW_ROWS:
        share = limits.WINDOW_ROWS / held.sum()
        window = f"{max(int((calendar.last - calendar.first).days * share), 1)}d"
    return Batches(
        calendar.every,
        calendar.first,
        calendar.last,
        tuple(map(int, held)),
        stray,
        first,
        validation,
        holdout,
        block,
        blocks,
        window,
        counted,
        doubt,
    )
