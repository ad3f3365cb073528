"""The lake: a project's Delta tables, written one whole batch at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from core.errors import IntegrityError
from core.holding import check_dtypes, held

# After a commit Delta would cut the log of more than 30 days ago, and with it every version of then: those
# that model versions were trained on. A table is told so when it is made, and each commit to an older one.
KEPT_LOG = {"delta.enableExpiredLogCleanup": "false"}
KEEP_LOG = PostCommitHookProperties(cleanup_expired_logs=False)

# No model version is trained on a table that grows by thousands of small commits a day: housekeeping may cut
# the log of all but the last day.
SHORT_LOG = {**KEPT_LOG, "delta.logRetentionDuration": "interval 1 days"}

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
        rows = held(path, _of_batch(path, frame, batch))
        data = _arrow(rows)
        target = _made(path, data.schema, KEPT_LOG)
        check_dtypes(path, target, rows.schema)
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

    @contended
    def append(self, table: str, stream: str, parts: Mapping[int, pl.DataFrame]) -> int:
        """Add numbered parts of a stream to a table, in one commit, each once; how many rows were added.

        Numbers rise along a stream: the table remembers the newest that it has of each, and a part whose
        number is not above that is there already. Rows bear their `batch`, and those of a part may be of
        several. Any number of processes may append at once, also the same parts. Raises IntegrityError as
        `write` does.
        """
        path, numbers = self.path(table), sorted(parts)
        rows = {number: held(path, parts[number]) for number in numbers}
        target = _made(path, _arrow(rows[numbers[0]].clear()).schema, SHORT_LOG)
        newest = target.transaction_version(stream)
        new = [rows[number] for number in numbers if newest is None or number > newest]
        if not new:
            return 0
        for part in new:
            check_dtypes(path, target, part.schema)
        added = pl.concat(new, how="diagonal")
        write_deltalake(
            target,
            _arrow(added),
            mode="append",
            schema_mode="merge",
            # A commit that names the stream fails where another has named it since the table was opened.
            commit_properties=CommitProperties(
                {"stream": stream, "rows": str(added.height)}, 20, [Transaction(stream, numbers[-1])]
            ),
            post_commithook_properties=KEEP_LOG,
        )
        return added.height

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


def _made(path: str, schema: pa.Schema, configuration: Mapping[str, str]) -> DeltaTable:
    """The table at its newest version, which is made if it is not there."""
    try:
        return DeltaTable(path)
    except TableNotFoundError:
        made = {**configuration}
        DeltaTable.create(path, schema=schema, partition_by=["batch"], mode="ignore", configuration=made)
        return DeltaTable(path)


def _of_batch(path: str, frame: pl.DataFrame, batch: str) -> pl.DataFrame:
    if "batch" in frame.columns and (frame["batch"].cast(pl.String) != batch).any():
        raise IntegrityError(f"{path}: rows of another batch are written as batch {batch}")
    return frame.with_columns(pl.lit(batch).alias("batch"))


def _arrow(rows: pl.DataFrame) -> pa.Table:
    # Of several chunks delta-rs takes whichever comes first, and sums and draws would vary with that.
    return rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
