"""Writing: the rows of one table go into its segments, or stay until they can."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import polars as pl

from serving.log.encode import Row, encode
from serving.log.frames import framed
from serving.log.segments import OpenSegment
from serving.log.waiting import Asked, Frame, Part, Waiting

_BOUND = 200_000  # rows of a table that wait
_ROWS, _SECONDS = 16_384, 30.0  # a segment is closed after so many rows, or so long
# Any value may come in, and a row that cannot be encoded must not cost those beside it.
_UNFIT = (Exception, pl.exceptions.PanicException)


class Writer:
    """The rows of one table on their way to the disk, in the hands of one thread but for what comes in."""

    def __init__(self, folder: Path, table: str, stream: str, schema: pl.Schema) -> None:
        self._folder, self._stream, self._schema = folder / table, stream, schema
        self._segment: OpenSegment | None = None
        self._begun, self._number = 0.0, 0
        self.waiting = Waiting(_BOUND)
        self.written = 0
        self.unfit = 0
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
        try:
            frame = self._framed([row for each in asked for row in each.rows])
        except _UNFIT:
            if len(asked) > 1:
                for each in asked:
                    self.write_asked([each])
                return
            written = False
        else:
            written = self._write(frame)
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
        frames, rows = list[Frame](), list[Row]()
        for part in parts:
            if isinstance(part, Frame):  # only those that were put back, which are the first
                frames.append(part)
            elif isinstance(part, pl.DataFrame):
                frames += [*self._encoded(rows), Frame(framed(part), part.height)]
                rows = []
            else:
                rows.extend(part)
        return [*frames, *self._encoded(rows)]

    def _encoded(self, rows: Sequence[Row]) -> list[Frame]:
        """The rows as few frames, without those that no frame can hold."""
        if not rows:
            return []
        try:
            return [self._framed(rows)]
        except _UNFIT:
            if len(rows) == 1:
                self.unfit += 1
                self.waiting.settle(1)
                return []
            half = len(rows) // 2
            return [*self._encoded(rows[:half]), *self._encoded(rows[half:])]

    def _framed(self, rows: Sequence[Row]) -> Frame:
        return Frame(framed(encode(rows, self._schema)), len(rows))

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
