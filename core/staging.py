"""Delivered files and the staging folder: what is derived from a file lies there under its hash."""

import gzip
import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from core.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class File:
    """A delivered file and the SHA-256 of its bytes."""

    path: Path
    digest: str


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def staged(file: File, target: Path, write: Callable[[Path], None]) -> Path:
    """`target`, which `write` makes from `file`: once, and wholly or not at all.

    Any number of processes may ask for it at once. Raises DeliveryError when the file changed
    while it was read, and whatever `write` raises.
    """
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    temporary = Path(name)
    try:
        write(temporary)
        os.fsync(handle)
        if digest(file.path) != file.digest:
            raise DeliveryError(f"{file.path}: changed while it was read: deliver it whole, then ingest")
        temporary.replace(target)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
    return target


def unpack(file: File, staging: Path) -> Path:
    """A readable path to the file's content; an archive is unpacked once, under its hash.

    Raises DeliveryError when the archive is damaged or does not hold exactly one file.
    """
    if file.path.suffix.lower() not in {".zip", ".gz"}:
        return file.path
    target = staging / f"{file.digest}{Path(file.path.stem).suffix}"
    return staged(file, target, lambda temporary: _unpack(file.path, temporary))


def _unpack(path: Path, target: Path) -> None:
    if not path.stat().st_size:  # which Python's gzip takes for an archive of nothing
        raise DeliveryError(f"{path}: is empty")
    try:
        with _opened(path) as content, target.open("wb") as sink:
            shutil.copyfileobj(content, sink, 1 << 20)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DeliveryError(f"{path}: is truncated or damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression that Python lacks
        raise DeliveryError(f"{path}: cannot be unpacked: {error}") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    members = [name for name in names if not name.startswith("__MACOSX") and not name.endswith("/")]
    if len(members) != 1:
        raise DeliveryError(f"{path}: holds {len(members)} files where one is expected: {', '.join(members)}")
    return archive.open(members[0])
