"""Batches: half-open event-time intervals, cut in the project's own time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from core.errors import SpecError

Every = Literal["1h", "1d", "1w", "1mo"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_IDS: dict[Every, str] = {"1h": "%Y-%m-%dT%H%z", "1d": "%Y-%m-%d", "1w": "%Y-%m-%d", "1mo": "%Y-%m"}


def duration(text: str) -> timedelta:
    """Read a duration such as `90m`, `2h`, `7d` or `1w`; ValueError for anything else.

    >>> duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    match = re.fullmatch(r"(\d+)([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a whole number and one of s m h d w, such as '2h'")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


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
        """The batches in order of time, from the id `start` to the id `end`, both included.

        Raises SpecError when there is no batch of that id.
        """
        batches = self._all()
        first = self._position(batches, start) if start else 0
        last = self._position(batches, end) if end else len(batches) - 1
        return batches[first : last + 1]

    def batch(self, batch_id: str) -> Batch:
        """The batch of this id; SpecError when there is none such."""
        return self.batches(batch_id, batch_id)[0]

    def _all(self) -> list[Batch]:
        zone = ZoneInfo(self.timezone)
        edges = pl.datetime_range(
            datetime.combine(self.first, time()),
            datetime.combine(self.last, time()),
            self.every,
            time_zone=self.timezone,
            eager=True,
        ).to_list()
        return [
            Batch(start.astimezone(UTC), end.astimezone(UTC), start.astimezone(zone).strftime(_IDS[self.every]))
            for start, end in zip(edges, edges[1:], strict=False)
        ]

    def _position(self, batches: list[Batch], batch_id: str) -> int:
        ids = [batch.id for batch in batches]
        if batch_id not in ids:
            raise SpecError(f"no batch {batch_id!r}: this project's run from {ids[0]!r} to {ids[-1]!r}, every {self.every}")
        return ids.index(batch_id)
