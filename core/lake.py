"""The lake: a project's Delta tables, written one whole batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from core.errors import IntegrityError

# The dtypes that Delta has no word for, and those in which it holds the same values.
_HELD_AS: dict[type[pl.DataType], pl.DataType] = {
    pl.Categorical: pl.String(),
    pl.Enum: pl.String(),
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Int64(),
}
_NOT_HELD = (pl.Duration, pl.Time, pl.Int128, pl.Object)

# After a commit Delta would cut the log of more than 30 days ago, and with it every version of then: those
# that model versions were trained on. A table is told so when it is made, and each commit to an older one.
KEPT_LOG = {"delta.enableExpiredLogCleanup": "false"}
KEEP_LOG = PostCommitHookProperties(cleanup_expired_logs=False)

# Tries a commit again that lost to another one.
contended = retry(
    retry=retry_if_exception_type(CommitFailedError),
    wait=wait_random_exponential(multiplier=0.05, max=2),
    stop=stop_after_attempt(12),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One batch of a table as it was written: what tasks pass on instead of frames.

    `version` is of the commit, or a newer one where others wrote at once: the table holds it there.
    """

    table: str
    batch: str
    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Lake:
    """The tables of one project under `root`, a folder or an object-store URL.

    A table is partitioned by `batch`. Writing a batch replaces it in one commit, so a batch that
    is written twice is there once, and a reader sees the old rows or the new, never a mixture.
    """

    root: str
    project: str

    def path(self, table: str) -> str:
        """Where a table lies."""
        return f"{self.root.rstrip('/')}/{self.project}/{table}"

    def exists(self, table: str) -> bool:
        """Whether the table has ever been written."""
        return DeltaTable.is_deltatable(self.path(table))

    def version(self, table: str) -> int:
        """The table's newest version; IntegrityError when there is no such table."""
        return self.open(table).version()

    @contended
    def write(self, table: str, batch: str, frame: pl.DataFrame) -> TableVersion:
        """Replace one batch of a table by `frame`, which may be empty, in one commit.

        Its rows keep their order. Any number of processes may write at once. Columns that the table
        does not have yet are added to it, those that the frame does not have are null. What Delta has
        no dtype for is held in a wider one: categories as String, unsigned integers signed, instants
        in microseconds (and UTC, if they have a zone). Raises IntegrityError when a column's dtype
        differs from the table's, or when there is no such wider one.
        """
        path = self.path(table)
        rows = _held(path, frame, batch)
        # Of several chunks delta-rs takes whichever comes first, and sums and draws would vary with that.
        data = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        try:
            target = DeltaTable(path)
        except TableNotFoundError:
            DeltaTable.create(
                path, schema=data.schema, partition_by=["batch"], mode="ignore", configuration=KEPT_LOG
            )
            target = DeltaTable(path)
        _check_dtypes(path, target, rows.schema)
        quoted = batch.replace("'", "''")
        write_deltalake(
            target,
            data,
            mode="overwrite",
            predicate=f"batch = '{quoted}'",
            schema_mode="merge",
            commit_properties=CommitProperties({"batch": batch, "rows": str(frame.height)}, 20),
            post_commithook_properties=KEEP_LOG,
        )
        return TableVersion(table, batch, target.version(), frame.height)

    def scan(
        self, table: str, batches: Sequence[str] | None = None, version: int | None = None
    ) -> pl.LazyFrame:
        """Read a table lazily: these batches of it (all by default), at this version (the newest).

        Raises IntegrityError when there is no such table.
        """
        rows = pl.scan_delta(self.open(table, version))
        return rows if batches is None else rows.filter(pl.col("batch").is_in(list(batches)))

    def open(self, table: str, version: int | None = None) -> DeltaTable:
        """The table itself, at this version (the newest); IntegrityError where there is none such."""
        path = self.path(table)
        try:
            return DeltaTable(path, version=version)
        except DeltaError as error:
            # A version whose log is gone is told as a table that is not there.
            if isinstance(error, TableNotFoundError) and not self.exists(table):
                raise IntegrityError(f"{path}: no such table yet: ingest the project's data first") from None
            if version is None:
                raise
            raise IntegrityError(f"{path}: cannot be read at version {version}: {error}") from error


def _held(path: str, frame: pl.DataFrame, batch: str) -> pl.DataFrame:
    """The rows in dtypes that Delta holds without change, with their `batch`."""
    if "batch" in frame.columns and (frame["batch"].cast(pl.String) != batch).any():
        raise IntegrityError(f"{path}: rows of another batch are written as batch {batch}")
    if len({name.lower() for name in frame.columns}) < frame.width:
        raise IntegrityError(f"{path}: two columns differ in case alone: {', '.join(frame.columns)}")
    casts: list[pl.Expr] = []
    for name, dtype in frame.schema.items():
        if isinstance(dtype, _NOT_HELD):
            raise IntegrityError(f"{path}: column {name!r} is {dtype}, which no table can hold: cast it")
        if isinstance(dtype, pl.Datetime):
            casts.append(pl.col(name).cast(pl.Datetime("us", "UTC" if dtype.time_zone else None)))
        elif type(dtype) in _HELD_AS:
            casts.append(pl.col(name).cast(_HELD_AS[type(dtype)]))
    try:
        return frame.with_columns(*casts, pl.lit(batch).alias("batch"))
    except pl.exceptions.InvalidOperationError as error:
        raise IntegrityError(f"{path}: batch {batch} cannot be held: {str(error).splitlines()[0]}") from error


def _check_dtypes(path: str, table: DeltaTable, schema: pl.Schema) -> None:
    # Delta would cast what differs, and so change values without a word.
    held = pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema
    for name, dtype in schema.items():
        if held.get(name, dtype) != dtype and pl.Null not in (dtype, held[name]):
            found = f"column {name!r} is {dtype}, but the table holds {held[name]}"
            raise IntegrityError(f"{path}: {found}: a table keeps its dtypes, so name the column anew")
