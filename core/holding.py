"""Holding: which rows a Delta table can hold without a change, and in which dtypes."""

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

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


def held(path: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that bear their `batch`, in dtypes in which the table at `path` holds them.

    IntegrityError where there is no such dtype for a column, or a value is too large for it.
    """
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
        return frame.with_columns(*casts)
    except pl.exceptions.InvalidOperationError as error:
        batches = ", ".join(frame["batch"].unique(maintain_order=True))
        raise IntegrityError(
            f"{path}: batch {batches} cannot be held: {str(error).splitlines()[0]}"
        ) from error


def check_dtypes(path: str, table: DeltaTable, schema: pl.Schema) -> None:
    """Raise IntegrityError where a column's dtype is not that of the table."""
    # Delta would cast what differs, and so change values without a word.
    there = pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema
    for name, dtype in schema.items():
        if there.get(name, dtype) != dtype and pl.Null not in (dtype, there[name]):
            found = f"column {name!r} is {dtype}, but the table holds {there[name]}"
            raise IntegrityError(f"{path}: {found}: a table keeps its dtypes, so name the column anew")
