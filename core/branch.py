"""A branch of a lake: tables of its own beside those of the trunk, which it reads as they were."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable

from core.errors import IntegrityError
from core.lake import Lake, TableVersion, contended


@dataclass(frozen=True, slots=True)
class Branch(Lake):
    """A lake that reads the tables named in `borrowed` from its `trunk`, at these versions, and no newer.

    They cannot be written to here: IntegrityError.
    """

    trunk: Lake
    borrowed: Mapping[str, int]

    def path(self, table: str) -> str:
        """Where a table lies."""
        return self.trunk.path(table) if table in self.borrowed else Lake.path(self, table)

    def version(self, table: str) -> int:
        """The version that is read, the newest of a table of its own."""
        return self.borrowed[table] if table in self.borrowed else Lake.version(self, table)

    @contended
    def write(self, table: str, batch: str, frame: pl.DataFrame) -> TableVersion:
        """Replace one batch of a table of its own (see `Lake.write`)."""
        if table in self.borrowed:
            raise IntegrityError(f"{self.path(table)}: a branch reads this table and does not write to it")
        return Lake.write(self, table, batch, frame)

    def open(self, table: str, version: int | None = None) -> DeltaTable:
        """The table itself (see `Lake.open`)."""
        return Lake.open(self, table, self.borrowed.get(table) if version is None else version)
