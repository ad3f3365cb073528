"""Files as they are delivered: Parquet, CSV or JSON Lines; local, in an S3 bucket, or of a package."""

import errno
import glob
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal

from core.batches import Batch
from core.errors import DeliveryError
from core.ledger import fingerprint
from core.scalars import Kind
from core.secrets import Secrets
from core.sources import delimited, jsonlines, objects, packages, parquet, pickled
from core.sources.declared import FileFormat, FilesSource, PackageSource, is_pickle
from core.sources.items import Fetched, Item
from core.sources.patterns import BATCH, chosen, has_wildcards, is_pattern, root, tidy
from core.sources.staging import ARCHIVES, File, digest, staged, unpack

_Form = FileFormat | Literal["pickle"]
_FORMATS: Mapping[str, FileFormat] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


def items(
    folder: Path,
    source: PackageSource | FilesSource,
    batches: Sequence[Batch],
    known: Mapping[str, str],
    secrets: Secrets,
) -> list[Item]:
    """The files that lie at the source now; of those that are each of a batch, those of `batches`.

    Raises DeliveryError when a path names a file that is missing, or a pattern names none, and when
    one may not be looked at or has a name that no text can hold.
    """
    if isinstance(source, FilesSource) and objects.is_url(source.path):
        return objects.items(source.path, batches, known)
    base, path = _place(folder, source)
    prefix = f"{source.package}/" if isinstance(source, PackageSource) else ""
    if isinstance(source, PackageSource) or not is_pattern(path):
        return [_item(prefix + path, _facts(base / path), None)]
    # There may be very many: a path is made of each name only where one is asked for.
    seen = ((name, batch, _seen(os.path.join(base, name))) for name, batch in _matching(base, path, batches))
    found = [_item(name, facts, batch) for name, batch, facts in seen if facts]
    if not found and has_wildcards(path):
        raise DeliveryError(f"there is no file {base / path}")
    return found


def fetch(
    folder: Path,
    source: PackageSource | FilesSource,
    item: Item,
    columns: Mapping[str, Kind],
    batches: Sequence[Batch],
    staging: Path,
    secrets: Secrets,
) -> Fetched:
    """Stage the rows of a file: those of CSV and JSON Lines as texts, null where one of `nulls`.

    Raises DeliveryError when it is missing, damaged or truncated, has not the declared hash, changes
    while it is read, lacks a column, or when its format is not known.
    """
    form = form_of(item.name, source)
    with delivered(folder, source, item, staging) as (file, mark):
        if isinstance(source, PackageSource):
            packages.verify(source, file.digest, folder.name)
        nulls = source.nulls if form in ("csv", "jsonl") else ()
        made_from = fingerprint(file.digest, form, list(columns), nulls)
        write = _writer(file, form, list(columns), source.nulls, staging)
        path = staged(file, staging / f"{made_from}.parquet", write)
        return Fetched(file.digest, path, parquet.count(path), mark)


def local(path: Path, name: str) -> tuple[File, str]:
    """A local file under its name, and its mark.

    Raises DeliveryError when it is missing or cannot be read.
    """
    mark = _mark(_facts(path))  # taken before it is read: a later change shows
    try:
        return File(path, digest(path), name), mark
    except OSError as error:
        raise DeliveryError(f"{name}: cannot be read: {error.strerror}") from error


@contextmanager
def delivered(
    folder: Path, source: PackageSource | FilesSource, item: Item, staging: Path
) -> Iterator[tuple[File, str]]:
    """A file at hand for as long, and its mark."""
    if objects.is_url(item.name):
        with objects.downloaded(item.name, staging) as found:
            yield found
    else:
        base, _ = _place(folder, source)
        prefix = f"{source.package}/" if isinstance(source, PackageSource) else ""
        yield local(base / item.name.removeprefix(prefix), item.name)


def _writer(
    file: File, form: _Form, columns: Sequence[str], nulls: Sequence[str], staging: Path
) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        path = unpack(file, staging)
        if form == "csv":
            delimited.tabulate(path, target, columns, nulls, file)
        elif form == "jsonl":
            jsonlines.tabulate(path, target, columns, nulls, file)
        elif form == "pickle":
            pickled.tabulate(path, target, columns, file)
        else:
            parquet.copy(path, target, columns, file)

    return write


def _place(folder: Path, source: PackageSource | FilesSource) -> tuple[Path, str]:
    """The folder from which the names of the files are told, and the path within it."""
    if isinstance(source, PackageSource):
        return packages.folder_of(source, folder.name), source.file
    if "://" in source.path:
        raise DeliveryError(f"{source.path}: only local paths and s3:// URLs are read")
    path = tidy(os.path.expanduser(source.path))
    if not os.path.isabs(path):
        return folder, path
    base = root(path)
    return Path(base), os.path.relpath(path, base)


def _matching(base: Path, path: str, batches: Sequence[Batch]) -> list[tuple[str, str | None]]:
    if not has_wildcards(path):
        return [(path.replace(BATCH, batch.id), batch.id) for batch in batches]
    wide = path.replace(BATCH, "*").replace("[", "[[]")
    return chosen(glob.iglob(wide, root_dir=base, recursive=True), path, batches)


def _seen(path: Path | str) -> os.stat_result | None:
    """What the file system says of a file; None where there is none."""
    try:
        facts = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise DeliveryError(f"the file {path} cannot be read: {error.strerror}") from error
    return facts if stat.S_ISREG(facts.st_mode) else None


def _facts(path: Path) -> os.stat_result:
    facts = _seen(path)
    if facts is None:
        folder = f" a folder: say which of its files, as in {path}/*.parquet" if path.is_dir() else " missing"
        raise DeliveryError(f"the file {path} is{folder}")
    return facts


def _item(name: str, facts: os.stat_result, batch: str | None) -> Item:
    told = os.fsencode(name).decode("utf-8", "backslashreplace")
    if told != name:
        raise DeliveryError(f"the name of the file {told} is not UTF-8: rename it")
    return Item(name, _mark(facts), facts.st_size, batch)


def _mark(facts: os.stat_result) -> str:
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"


def form_of(name: str, source: PackageSource | FilesSource) -> _Form:
    """In which format a file is; DeliveryError when nothing tells, or it may not be read."""
    given = source.format if isinstance(source, FilesSource) else None
    if given is None and is_pickle(name):
        if isinstance(source, PackageSource) and source.sha256 is not None:
            return "pickle"
        raise DeliveryError(
            f"{name}: is a pickle, which can run code: only one of a package is read, by its `sha256`"
        )
    path = PurePosixPath(name.lower())
    if path.suffix in ARCHIVES:
        path = path.with_suffix("")
    form = given or _FORMATS.get(path.suffix)
    if form is None:
        known = "`format: parquet`, `csv` or `jsonl`"
        raise DeliveryError(f"{name}: its suffix tells no format: say {known} in the dataset's source")
    return form
