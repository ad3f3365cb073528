"""Writing: the rows of one table go into its segments, or stay until they can."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import polars as pl

from serving.log.encode import together
from serving.log.frames import ROWS, columns, framed
from serving.log.segments import OpenSegment
from serving.log.waiting import Asked, Frame, Part, Waiting

_BOUND = 200_000  # rows of a table that wait
_ROWS, _SECONDS = 16_384, 30.0  # a segment is closed after so many rows, or so long


class Writer:
    """The rows of one table on their way to the disk, in the hands of one thread but for what comes in."""

    def __init__(self, folder: Path, table: str, stream: str) -> None:
        self._folder, self._stream = folder / table, stream
        self._segment: OpenSegment | None = None
        self._begun, self._number = 0.0, 0
        self.waiting = Waiting(_BOUND)
        self.written = 0
        self.failure: str | None = None

    def write_waiting(self) -> None:
        """Write what waits, as far as the disk takes it."""
        frames = self._frames(self.waiting.take())
        for place, frame in enumerate(frames):
            if not self._write(frame):
                self.waiting.put_back(frames[place:])
                break
            self.waiting.settle(frame.rows)
        if self._segment and monotonic() - self._begun >= _SECONDS:
            self._close(self._segment)

    def write_asked(self, asked: Sequence[Asked]) -> None:
        """Write rows that somebody waits for, all at once, and answer."""
        if not asked:
            return
        written = all(map(self._write, _framed([row for each in asked for row in each.rows])))
        for each in asked:
            each.tell(written)

    def close(self) -> None:
        """Write what waits, drop what cannot be written, and hand the segment over."""
        self.write_waiting()
        self.waiting.drop()
        if self._segment:
            self._close(self._segment)

    def _frames(self, parts: Sequence[Part]) -> list[Frame]:
        """The parts in their order, rows that came in one after the other as one frame."""
        frames, rows = list[Frame](), list[bytes]()
        for part in parts:
            if isinstance(part, Frame):  # only those that were put back, which are the first
                frames.append(part)
            elif isinstance(part, pl.DataFrame):
                frames += [*_framed(rows), Frame(columns(part), part.height)]
                rows = []
            else:
                rows.extend(part)
        return [*frames, *_framed(rows)]

    def _write(self, frame: Frame) -> bool:
        try:
            if self._segment is None:
                self._segment = OpenSegment.begin(self._folder, self._stream, self._number + 1)
                self._number, self._begun = self._number + 1, monotonic()
            self._segment.append(frame.content, frame.rows)
        except OSError as error:
            self._failed(error)
            return False
        self.written += frame.rows
        self.failure = None
        if self._segment.rows >= _ROWS:
            self._close(self._segment)
        return True

    def _close(self, segment: OpenSegment) -> None:
        try:
            segment.close()
        except OSError as error:
            self._failed(error)
        else:
            self._segment = None

    def _failed(self, error: OSError) -> None:
        self.failure = f"{self._folder} cannot be written to: {os.strerror(error.errno or errno.EIO)}"


def _framed(rows: Sequence[bytes]) -> list[Frame]:
    """Packed rows as a frame; nothing where there is none."""
    return [Frame(framed(ROWS, together(rows)), len(rows))] if rows else []
