"""The lake: a project's Delta tables, written one whole batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from core.errors import IntegrityError

_contended = retry(
    retry=retry_if_exception_type(CommitFailedError),
    wait=wait_random_exponential(multiplier=0.05, max=2),
    stop=stop_after_attempt(12),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One batch of a table as one commit left it: what tasks pass on instead of frames."""

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
        return self._open(table).version()

    @_contended
    def write(self, table: str, batch: str, frame: pl.DataFrame) -> TableVersion:
        """Replace one batch of a table by `frame`, which may be empty, in one commit.

        Writers of different batches may run at once. Columns that the table does not have yet
        are added to it. Raises IntegrityError when a column's type differs from the table's.
        """
        path = self.path(table)
        rows = frame.with_columns(pl.lit(batch).alias("batch"))
        data = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if not self.exists(table):
            DeltaTable.create(path, schema=data.schema, partition_by=["batch"], mode="ignore")
        properties = CommitProperties(custom_metadata={"batch": batch, "rows": str(frame.height)}, max_commit_retries=20)
        try:
            write_deltalake(
                path,
                data,
                mode="overwrite",
                predicate=f"batch = '{batch}'",
                schema_mode="merge",
                commit_properties=properties,
            )
        except CommitFailedError:
            raise
        except DeltaError as error:
            raise IntegrityError(f"{path}: batch {batch} cannot be written: {error}") from error
        return TableVersion(table, batch, self.version(table), frame.height)

    def scan(self, table: str, batches: Sequence[str] | None = None, version: int | None = None) -> pl.LazyFrame:
        """Read a table lazily: these batches of it (all by default), at this version (the newest).

        Raises IntegrityError when there is no such table.
        """
        rows = pl.scan_delta(self._open(table, version))
        return rows if batches is None else rows.filter(pl.col("batch").is_in(list(batches)))

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.path(table), version=version)
        except TableNotFoundError:
            raise IntegrityError(f"{self.path(table)}: no such table yet: ingest the project's data first") from None
