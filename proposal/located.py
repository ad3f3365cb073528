"""Where a table lies, as a spec says it: a path from the project's folder, or a URL without a password."""

import os
from pathlib import Path, PurePosixPath

import sqlalchemy as sa

from core.errors import DeliveryError, SpecError
from core.secrets import PLACEHOLDER, holds_password
from core.sources.declared import DeltaSource, FilesSource, Source, SqlSource
from core.sources.patterns import BATCH, is_pattern
from core.sources.staging import ARCHIVES

_SUFFIXES = (".csv", ".parquet", ".pq", ".jsonl", ".ndjson", ".json")
_PACKED = {
    ".xz": "unxz",
    ".bz2": "bunzip2",
    ".zst": "unzstd",
    ".7z": "7z x",
    ".rar": "unrar x",
    ".tar": "tar -x",
}
_OTHER = {
    ".xlsx": "Excel",
    ".xls": "Excel",
    ".feather": "Feather",
    ".tsv": "TSV",
    ".pkl": "pickle",
    ".rds": "R",
}


def located(data: str, here: Path, folder: Path, checkout: Path) -> Source:
    """The source that `data` names, to be read from the project's `folder`.

    A path is taken from `here`; inside the `checkout` it is written relative to the folder, elsewhere
    absolute. A database's URL ends with `#table`. Raises SpecError when it holds a password or no
    table, DeliveryError when no such thing is read.
    """
    if BATCH in data:
        raise SpecError(f"{data}: which batches there are is not known yet: write * in place of {BATCH}")
    if data.startswith("s3://"):
        return (
            FilesSource(kind="files", path=data) if _is_file(data) else DeltaSource(kind="delta", path=data)
        )
    if "://" in data:
        return _table(data, here, folder, checkout)
    path = Path(os.path.normpath(here / os.path.expanduser(data)))
    told = _told(path, folder, checkout)
    if path.is_dir():
        if (path / "_delta_log").is_dir():
            return DeltaSource(kind="delta", path=told)
        raise DeliveryError(
            f"{data} is a folder and no Delta table: say which of its files, as in {data}/*.csv"
        )
    if not path.exists() and not is_pattern(str(path)):
        raise DeliveryError(f"there is no file {data}")
    _readable(data)
    return FilesSource(kind="files", path=told)


def _is_file(url: str) -> bool:
    path = PurePosixPath(url.lower())
    return is_pattern(url) or path.suffix in (*_SUFFIXES, *ARCHIVES)


def _readable(data: str) -> None:
    """Raise DeliveryError for a format that no source reads, with what to do about it."""
    path = PurePosixPath(data.lower())
    if command := _PACKED.get(path.suffix):
        raise DeliveryError(
            f"{data}: {path.suffix} is not read: unpack it first ({command} {data}), or gzip it"
        )
    if path.suffix in ARCHIVES:
        path = path.with_suffix("")
    if path.suffix in _SUFFIXES:
        return
    kind = _OTHER.get(path.suffix)
    found = f"{kind} is not read" if kind else "its suffix tells no format"
    raise DeliveryError(f"{data}: {found}: deliver .csv, .parquet or .jsonl, plain or as .gz or .zip")


def _told(path: Path, folder: Path, checkout: Path) -> str:
    inside = path.is_relative_to(checkout)
    return os.path.relpath(path, folder) if inside else str(path)


def _table(data: str, here: Path, folder: Path, checkout: Path) -> Source:
    url, _, table = data.rpartition("#")
    if data.startswith(("http://", "https://")):
        raise DeliveryError("a web page is not read: download the file first (curl -O), and name it")
    if not url:
        raise SpecError("which table? Write DATA='url#table', as in DATA='sqlite:///shop.db#orders'")
    if holds_password(url):
        raise SpecError(
            "the URL holds a password, and a spec holds none: put it in the environment, and write ${NAME}"
            " in its place, as in DATA='postgresql://reader:${SHOP_PASSWORD}@db/shop#orders'"
        )
    return SqlSource(kind="sql", url=_from_folder(url, here, folder, checkout), table=table)


def _from_folder(url: str, here: Path, folder: Path, checkout: Path) -> str:
    """A SQLite file is named from the project's folder, as any file is."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or PLACEHOLDER.search(url):
        return url
    try:
        database = sa.make_url(url).database or ""
    except sa.exc.ArgumentError:
        raise SpecError("the URL cannot be read: write sqlite:///path#table") from None
    path = Path(os.path.normpath(here / os.path.expanduser(database)))
    return prefix + _told(path, folder, checkout)
