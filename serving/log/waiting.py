"""Rows that wait to be written: a bounded queue from the threads that answer to the one that writes."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock

import polars as pl


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows as they are written, so many of them."""

    content: bytes
    rows: int

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True, slots=True)
class Asked:
    """Packed rows of which somebody waits to hear whether they are on disk."""

    rows: Sequence[bytes]
    answer: Future[bool]

    def __len__(self) -> int:
        return len(self.rows)

    def tell(self, written: bool) -> None:
        """Answer, unless nobody waits for it any more."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(written)


Part = Sequence[bytes] | pl.DataFrame | Frame
"""Packed rows, many rows by columns, or what is to be written again."""


class Waiting:
    """Parts of a table in the order in which they came in, the oldest dropped beyond `bound` rows."""

    def __init__(self, bound: int) -> None:
        self._bound, self._parts, self._lock = bound, deque[Part](), Lock()
        self._here, self._taken = 0, 0
        self.dropped = 0

    @property
    def rows(self) -> int:
        """The rows that are not settled: those that wait, and those that were taken."""
        return self._here + self._taken

    def add(self, part: Part) -> None:
        """Put a part last."""
        with self._lock:
            self._parts.append(part)
            self._here += len(part)
            self._bounded()

    def take(self) -> list[Part]:
        """All parts that wait; each of their rows is to be settled or put back."""
        with self._lock:
            parts, self._parts = self._parts, deque()
            self._here, self._taken = 0, self._taken + self._here
        return list(parts)

    def settle(self, rows: int) -> None:
        """So many of the rows that were taken are done with."""
        with self._lock:
            self._taken -= rows

    def put_back(self, parts: Sequence[Part]) -> None:
        """Put parts that were taken first again, in their order."""
        rows = sum(map(len, parts))
        with self._lock:
            self._parts.extendleft(reversed(parts))
            self._here, self._taken = self._here + rows, self._taken - rows
            self._bounded()

    def drop(self) -> None:
        """Give up whatever waits."""
        with self._lock:
            self._parts.clear()
            self._here, self.dropped = 0, self.dropped + self._here

    def _bounded(self) -> None:
        while self._here > self._bound:
            oldest = len(self._parts.popleft())
            self._here -= oldest
            self.dropped += oldest
