"""Segments: the files of a journal, each written by one process, closed by a rename and then collected."""

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from serving.log.encode import unpacked
from serving.log.frames import ROWS, Broken, unframed

_OPEN, _CLOSED, _DRAFT = ".open", ".closed", ".draft"


class OpenSegment:
    """The file to which a journal appends frames: what was appended is on disk.

    Its process holds a lock on it for as long as it lives, so that others know whether it does.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor, self._length = path, descriptor, 0
        self.rows = 0

    @classmethod
    def begin(cls, folder: Path, stream: str, number: int) -> Self:
        """A new file in the folder, which is made if need be; OSError where there is no place for it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stream}-{number:08d}{_OPEN}"
        draft = path.with_suffix(_DRAFT)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            # It has its name once it is locked: a collector must not take it for a dead process's before.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.rename(path)
            _sync(folder)
        except OSError:
            os.close(descriptor)
            for left in (draft, path):
                left.unlink(missing_ok=True)
            raise
        return cls(path, descriptor)

    def append(self, frame: bytes, rows: int) -> None:
        """Put a frame of so many rows on disk; OSError where it cannot be, and then none of it is there."""
        try:
            self._restore()
            left = memoryview(frame)
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                self._restore()  # or before the next frame, if this fails, too
            raise
        self._length += len(frame)
        self.rows += rows

    def close(self) -> None:
        """Hand it over to who collects; OSError where it cannot be renamed, and then it stays open."""
        with suppress(FileNotFoundError):  # somebody has removed it: the next one is to be there again
            self._path.rename(self._path.with_suffix(_CLOSED))
        os.close(self._descriptor)

    def _restore(self) -> None:
        """Cut off what is there of a frame that could not be written: those rows are written again."""
        os.ftruncate(self._descriptor, self._length)
        os.lseek(self._descriptor, self._length, os.SEEK_SET)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A file that nobody writes to any more; numbers rise along a stream, the journal of one process."""

    stream: str
    number: int
    path: Path

    def read(self, schema: pl.Schema) -> "Read":
        """Its rows up to where it is damaged.

        That the end of a last frame is missing is no damage where the process died: it was never whole.
        OSError where the file cannot be read.
        """
        frames, unfit, damage = list[pl.DataFrame](), 0, None
        try:
            for mark, content in unframed(self.path.read_bytes()):
                rows, lost = _rows(mark, content, schema)
                frames.append(rows)
                unfit += lost
        except Broken as broken:
            if not broken.torn or self.path.suffix == _CLOSED:
                damage = f"{self.path.name}: {broken}; the rows before it are kept"
        every = pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema=schema)
        return Read(every, unfit, damage)


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a segment; how many more are `unfit`, since no row of the table can hold their values; and
    a sentence about its damage, None where it has none.
    """

    rows: pl.DataFrame
    unfit: int
    damage: str | None


def finished(folder: Path) -> list[Segment]:
    """The segments of a folder that are closed or whose process is dead, by stream and number."""
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if path.suffix == _CLOSED or _abandoned(path)]
    return sorted(Segment(*_named(path), path) for path in paths)


def _named(path: Path) -> tuple[str, int]:
    stream, _, number = path.stem.rpartition("-")
    return stream, int(number)


def _abandoned(path: Path) -> bool:
    """Whether this is an open segment whose process is dead."""
    if path.suffix != _OPEN:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):  # in use, or closed by now
        return False
    return True


def _rows(mark: bytes, content: bytes, schema: pl.Schema) -> tuple[pl.DataFrame, int]:
    return unpacked(content, schema) if mark == ROWS else (pl.read_ipc_stream(content), 0)


def _sync(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
