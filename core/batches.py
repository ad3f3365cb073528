"""Batches: half-open event-time intervals, cut in the project's own time zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from core.errors import SpecError

Every = Literal["1h", "1d", "1w", "1mo", "3mo", "6mo", "1y"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MONTHS: dict[Every, int] = {"1mo": 1, "3mo": 3, "6mo": 6, "1y": 12}
_DAY, _MONTH = "%Y-%m-%d", "%Y-%m"
_IDS: dict[Every, str] = {
    "1h": "%Y-%m-%dT%H%z",
    "1d": _DAY,
    "1w": _DAY,
    **dict.fromkeys(_MONTHS, _MONTH),
    "1y": "%Y",
}


def duration(text: str) -> timedelta:
    """Read a duration such as `90m`, `2h`, `7d` or `1w`; ValueError for anything else.

    >>> duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a whole number and one of s m h d w, such as '2h'")
    try:
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any calendar: write a shorter duration") from None


@dataclass(frozen=True, order=True, slots=True)
class Batch:
    """The half-open event-time interval `[start, end)`, in UTC; `id` names it in tables and paths."""

    start: datetime
    end: datetime
    id: str

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"batch {self.id}: start and end need a time zone")
        if self.end <= self.start:
            raise ValueError(f"batch {self.id}: end {self.end} is not after start {self.start}")

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Calendar:
    """The batches of a project: from the date `first` up to, not including, the date `last`.

    They leave nothing out and do not overlap. A day begins at its first instant in `timezone`, a
    month on its first day, three months, six and a year with January or so many months after it, a
    week on the weekday of `first`: where `first` and `last` lie between
    such edges, the first and the last batch are shorter. Hours are hours of elapsed time, so that
    the hour that autumn repeats is two batches.

    >>> months = Calendar("1mo", "America/New_York", date(2013, 1, 1), date(2014, 1, 1))
    >>> batch = months.batches()[2]
    >>> batch.id, batch.start.isoformat(), batch.end.isoformat()
    ('2013-03', '2013-03-01T05:00:00+00:00', '2013-04-01T04:00:00+00:00')
    """

    every: Every
    timezone: str
    first: date
    last: date

    def batches(self, start: str | None = None, end: str | None = None) -> list[Batch]:
        """The batches in order of time, from `start` to `end`, both included.

        Each is the id of a batch, or a day of the project's time zone in it (`2013-03-15`). Raises
        SpecError when there is no such batch, or when `end` comes before `start`.
        """
        batches = _cut(self)
        first = self._position(batches, start) if start else 0
        last = self._position(batches, end) if end else len(batches) - 1
        if first > last and start and end:
            raise SpecError(f"batch {start!r} is after {end!r}: name the earlier one as the start")
        return list(batches[first : last + 1])

    def batch(self, batch_id: str) -> Batch:
        """The batch of this id; SpecError when there is none such."""
        return self.batches(batch_id, batch_id)[0]

    def _position(self, batches: tuple[Batch, ...], batch_id: str) -> int:
        ids = [batch.id for batch in batches]
        if batch_id not in ids:
            if (day := _day(batch_id)) is not None:
                instant = _midnight(day, ZoneInfo(self.timezone))
                for place, batch in enumerate(batches):
                    if batch.start <= instant < batch.end:
                        return place
            there = f"this project's run from {ids[0]!r} to {ids[-1]!r}" if ids else "this project has none"
            raise SpecError(f"no batch {batch_id!r}: {there}, every {self.every}")
        return ids.index(batch_id)


@lru_cache(maxsize=16)
def _cut(calendar: Calendar) -> tuple[Batch, ...]:
    zone = ZoneInfo(calendar.timezone)
    # Two edges are one where a zone leaves out a day, as Samoa did when it crossed the date line.
    edges = sorted(set(_edges(calendar, zone)))
    return tuple(
        Batch(start, end, start.astimezone(zone).strftime(_IDS[calendar.every]))
        for start, end in pairwise(edges)
    )


def _edges(calendar: Calendar, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants in UTC at which batches begin, and the end of the last."""
    instant, end = _midnight(calendar.first, zone), _midnight(calendar.last, zone)
    day = calendar.first
    while instant < end:
        yield instant
        if calendar.every == "1h":
            instant += timedelta(hours=1)
        else:
            day = _next(day, calendar.every)
            instant = _midnight(day, zone)
    yield end


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _next(day: date, every: Every) -> date:
    if every in _MONTHS:
        # As many months as make a whole number of them since January.
        months = _MONTHS[every] * ((day.month - 1) // _MONTHS[every] + 1)
        return date(day.year + months // 12, months % 12 + 1, 1)
    return day + timedelta(days=7 if every == "1w" else 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, in UTC; also where clocks show midnight twice that day, or never."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
