"""The files of model versions, kept under the hash of their content."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.errors import IntegrityError

_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Files:
    """A folder of immutable files: `<folder>/<first two digits>/<sha256>`.

    A file is there whole or not at all: it is copied beside its place, flushed to the disk, and
    renamed. The same content is kept once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, source: Path) -> str:
        """Keep a copy of `source` and return its SHA-256; OSError (and no trace) when it cannot be kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="incoming-", delete=False) as copy:
            try:
                found = _copy(source, copy)
                place = self._place(found)
                place.parent.mkdir(exist_ok=True)
                os.chmod(copy.name, 0o444)
                os.replace(copy.name, place)
            except BaseException:
                Path(copy.name).unlink(missing_ok=True)
                raise
        for folder in (place.parent, self._folder):
            _flush(folder)
        return found

    def path(self, expected: str, name: str) -> Path:
        """The kept file of this SHA-256, whose content was just verified; `name` is for the message.

        Raises IntegrityError when it is missing or has other content.
        """
        place = self._place(expected)
        if not place.is_file():
            raise IntegrityError(f"{name}: {place} is missing (sha256 {expected}). {_REMEDY}")
        if (found := sha256(place)) != expected:
            hashes = f"its content has sha256 {found}, registered was {expected}"
            raise IntegrityError(f"{name}: {place} was changed: {hashes}. {_REMEDY}")
        return place

    def stored(self) -> dict[str, Path]:
        """What is kept, by its SHA-256, and not verified."""
        return {path.name: path for path in self._folder.glob("[0-9a-f][0-9a-f]/*")}

    def _place(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


_REMEDY = "Put the file back from a copy, train again, or roll back to another version."


def _copy(source: Path, copy: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
            copy.write(chunk)
    copy.flush()
    os.fsync(copy.fileno())
    return digest.hexdigest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _flush(folder: Path) -> None:
    # A rename is only sure to outlive a power cut once its folder is on the disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
