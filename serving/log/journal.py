"""The journal of a worker: what it logs is on its disk within the interval, at no request's expense."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from uuid import uuid4

import polars as pl

from core.errors import IntegrityError
from serving.log.encode import Row, packed
from serving.log.waiting import Asked
from serving.log.writing import Writer


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows that this journal has put on disk, and those that it has not.

    `dropped` were too many to be kept while the disk took none, `unfit` had values that no bytes
    stand for; `failure` is why those that wait cannot be written, None if they can.
    """

    written: int
    dropped: int
    unfit: int
    waiting: int
    failure: str | None


class Journal:
    """Appends rows to the segments of its own stream in `folder`, from a thread of its own.

    What was appended is on disk within `interval` seconds, as long as the disk takes it. What cannot be
    written is kept and tried again until there is room; of too many rows the oldest are dropped, and counted.
    Any thread may append.
    """

    def __init__(self, folder: Path, schemas: Mapping[str, pl.Schema], interval: float = 1.0) -> None:
        stream = uuid4().hex
        self._writers = {table: Writer(folder, table, stream) for table in schemas}
        self._schemas, self._unfit = schemas, 0
        self._asked: dict[str, list[Asked]] = {table: [] for table in schemas}
        # What comes in just after a flush began is on disk when the next one ends.
        self._pause = interval / 2
        self._due = monotonic() + self._pause
        self._wake, self._lock, self._closed = Event(), Lock(), False
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, table: str, rows: Sequence[Row]) -> None:
        """Log rows of values in the schema's order; one that cannot be packed is left out, and counted."""
        self._writers[table].waiting.add(self._packed(rows))

    def append_frame(self, table: str, frame: pl.DataFrame) -> None:
        """Log many rows, which are too many to be kept for long: they are written at once.

        IntegrityError where the frame is not of the table's schema.
        """
        schema = self._schemas[table]
        if frame.schema != schema:
            raise IntegrityError(f"{table}: rows of {frame.schema} were to be logged; right is {schema}")
        self._writers[table].waiting.add(frame)
        self._due = 0.0
        self._wake.set()

    def durable(self, table: str, rows: Sequence[Row]) -> Future[bool]:
        """Log rows at once: True when they are on disk, False if they cannot be and are not logged at all."""
        asked = Asked(self._packed(rows), Future())
        with self._lock:
            if self._closed or len(asked) < len(rows):
                asked.tell(False)
            else:
                self._asked[table].append(asked)
        self._wake.set()
        return asked.answer

    def facts(self) -> Facts:
        """How things stand with the rows of all tables."""
        writers = self._writers.values()
        return Facts(
            written=sum(writer.written for writer in writers),
            dropped=sum(writer.waiting.dropped for writer in writers),
            unfit=self._unfit,
            waiting=sum(writer.waiting.rows for writer in writers),
            failure=next((writer.failure for writer in writers if writer.failure), None),
        )

    def close(self) -> None:
        """Write what waits, and hand the segments over; what cannot be written now is dropped."""
        with self._lock:
            self._closed = True
        self._wake.set()
        self._thread.join()

    def _packed(self, rows: Sequence[Row]) -> list[bytes]:
        found = []
        for row in rows:
            try:
                found.append(packed(row))
            except Exception:  # any value may come in, and no request is to fail by its log
                self._unfit += 1
        return found

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(max(0.0, self._due - monotonic()))
            self._wake.clear()
            self._write_asked()
            if monotonic() >= self._due:
                self._due = monotonic() + self._pause
                for writer in self._writers.values():
                    writer.write_waiting()
        self._write_asked()
        for writer in self._writers.values():
            writer.close()

    def _write_asked(self) -> None:
        for table, writer in self._writers.items():
            with self._lock:
                asked, self._asked[table] = self._asked[table], []
            writer.write_asked(asked)
