"""What a set of rows holds, as two numbers: so that no row can be lost, doubled or changed unseen."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from core.types import as_text

ROW_HASH = "row_hash"
_WRAP, _TOP = 1 << 64, 1 << 63
# Their hashes do not depend on how the values came to be stored.
_AS_THEY_ARE = (pl.String, pl.Boolean, pl.Date, pl.Datetime)


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows there are, and the sum of their hashes (modulo 2**64, as Int64 has it).

    The order of the rows and their division into files are of no account.

    >>> Content(2, 30) + Content(1, -5) == Content(3, 25)
    True
    """

    rows: int = 0
    total: int = 0

    def __add__(self, other: "Content") -> "Content":
        wrapped = (self.total + other.total + _TOP) % _WRAP - _TOP
        return Content(self.rows + other.rows, wrapped)

    def __str__(self) -> str:
        return f"{self.rows}-{self.total % _WRAP:016x}"


def row_hash(columns: Iterable[str], schema: pl.Schema) -> pl.Expr:
    """A hash of each row's `columns` as `row_hash` (Int64), the same in every process.

    It is that of this version of Polars: compare hashes that were kept, not hashes across upgrades.
    """
    values = [_hashable(column, schema[column]) for column in columns]
    return pl.struct(values).hash(20130101).reinterpret(signed=True).alias(ROW_HASH)


def content(rows: pl.LazyFrame) -> Content:
    """The content of rows that bear their `row_hash`."""
    count, total = rows.select(pl.len(), pl.col(ROW_HASH).sum()).collect().row(0)
    return Content(count, total)


def content_of(frame: pl.DataFrame, columns: Iterable[str]) -> Content:
    """The content of rows in some of their columns, hashed here and now."""
    return content(frame.lazy().select(row_hash(columns, frame.schema)))


def _hashable(column: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_numeric() or isinstance(dtype, _AS_THEY_ARE) or dtype in (pl.String, pl.Boolean, pl.Date):
        return pl.col(column)
    return as_text(column, dtype)
