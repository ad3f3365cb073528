"""Columns and values for the Polars engine, so that they compare as they do in pandas."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal

import polars as pl
import polars.selectors as cs

from expectations.sense import instant

Family = Literal["integer", "float", "string", "boolean", "instant"]

NUMERIC: tuple[Family, ...] = ("integer", "float")
ORDERED: tuple[Family, ...] = (*NUMERIC, "instant")
EVERY: tuple[Family, ...] = (*ORDERED, "string", "boolean")

# From here on a float64, which pandas makes of whole numbers beside a null, is not exact.
_EXACT = 2**53


class NoForm(Exception):
    """Polars cannot judge this as Great Expectations does on pandas; the message says what."""


def named(column: str) -> pl.Expr:
    """The column of just that name: `pl.col` takes `*` and `^…$` for patterns."""
    pattern = column == "*" or (column.startswith("^") and column.endswith("$"))
    return cs.by_name(column).as_expr() if pattern else pl.col(column)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the frame. `value` gives it as the engines compare it.

    There NaN is null, whole numbers are Int64 (or UInt64), fractions Float64, categories String,
    dates and times instants in UTC, in microseconds (or nanoseconds).
    """

    name: str
    dtype: pl.DataType

    @property
    def family(self) -> Family | None:
        """What kind of values it holds; None for those that are left to pandas."""
        if self.dtype.is_integer():
            return None if self.dtype in (pl.Int128, pl.UInt128) else "integer"
        if self.dtype in (pl.Float32, pl.Float64):
            return "float"
        if self.dtype in (pl.String, pl.Categorical, pl.Enum):
            return "string"
        if self.dtype == pl.Boolean:
            return "boolean"
        return "instant" if self.dtype in (pl.Date, pl.Datetime) else None

    @property
    def value(self) -> pl.Expr:
        column = named(self.name)
        if self.dtype.is_integer() and self.family and self.dtype != pl.UInt64:
            return column.cast(pl.Int64)
        if self.dtype.is_float():
            return column.cast(pl.Float64).fill_nan(None)
        if self.family == "string":
            return column.cast(pl.String)
        if self.dtype == pl.Date:
            return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        if isinstance(self.dtype, pl.Datetime):
            fine = column.dt.cast_time_unit("us") if self.dtype.time_unit == "ms" else column
            return (
                fine.dt.convert_time_zone("UTC") if self.dtype.time_zone else fine.dt.replace_time_zone("UTC")
            )
        return column

    @property
    def shown(self) -> pl.Expr:
        """The values as results show them: an instant keeps its zone."""
        zoned = isinstance(self.dtype, pl.Datetime) and self.dtype.time_zone
        return named(self.name) if zoned else self.value

    @property
    def text(self) -> pl.Expr:
        """The column as pandas writes it: a whole number beside a null is a float there, "517.0"."""
        if self.family == "string":
            return self.value
        if self.family != "integer":
            raise NoForm(f"column {self.name!r} of {self.dtype} as text")
        exact = (self.value.max() < _EXACT) & (self.value.min() > -_EXACT)
        fraction = pl.when((self.value.null_count() > 0) & exact).then(pl.lit(".0")).otherwise(pl.lit(""))
        return pl.concat_str(self.value.cast(pl.String), fraction)

    def of(self, *families: Family) -> "Column":
        """The column itself; NoForm unless its values are of one of these kinds."""
        if self.family not in families:
            raise NoForm(f"column {self.name!r} of {self.dtype}")
        return self

    @property
    def nanoseconds(self) -> bool:
        return isinstance(self.dtype, pl.Datetime) and self.dtype.time_unit == "ns"


def comparable(*columns: Column) -> None:
    """Raise NoForm unless Polars compares the values of these columns as pandas does."""
    kinds = {"number" if column.family in ("integer", "float") else column.family for column in columns}
    units = {column.nanoseconds for column in columns}
    signs = {column.dtype == pl.UInt64 for column in columns}
    if None in kinds or len(kinds) > 1 or len(units) > 1 or len(signs) > 1:
        raise NoForm(" beside ".join(f"column {column.name!r} of {column.dtype}" for column in columns))


def bound(column: Column, value: Any) -> pl.Expr:
    """The value as a literal to compare the column with; NoForm if pandas would see it otherwise."""
    if column.family == "instant" and isinstance(value, datetime) and value.tzinfo and not column.nanoseconds:
        return pl.lit(value.astimezone(UTC), pl.Datetime("us", "UTC"))
    if column.of("integer", "float") and isinstance(value, int | float) and not isinstance(value, bool):
        return number(column, value)
    raise NoForm(f"a bound {value!r} for column {column.name!r} of {column.dtype}")


def number(column: Column, value: int | float) -> pl.Expr:
    """The number as a literal, of the column's own type if it can be."""
    if math.isfinite(value) and abs(value) >= _EXACT:
        raise NoForm(f"{value!r}, beyond what a float64 tells apart")
    whole = column.family == "integer" and math.isfinite(value) and float(value).is_integer()
    return pl.lit(int(value), pl.Int64) if whole else pl.lit(float(value), pl.Float64)


def members(column: Column, values: Collection[Any]) -> pl.Series:
    """Those of `values` that a value of the column can equal, as Python compares them; no nulls.

    NoForm where that is not enough: a whole number that a float64 does not hold.
    """
    dtype: pl.DataType = pl.String()
    there: list[Any] = []
    if column.family == "string":
        there = [value for value in values if isinstance(value, str)]
    elif column.family == "instant":
        if column.nanoseconds:
            raise NoForm(f"a set for column {column.name!r} of {column.dtype}")
        dtype = pl.Datetime("us", "UTC")
        there = [value for value in values if isinstance(value, datetime) and value.tzinfo is not None]
    else:
        numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
        if any(abs(value) >= _EXACT for value in numbers):
            raise NoForm(f"a set with {max(numbers, key=abs)!r}, beyond what a float64 tells apart")
        if column.of("integer", "float", "boolean").family == "float":
            dtype = pl.Float64()
            there = [float(value) for value in values if isinstance(value, int | float) and value == value]
        elif column.family == "integer":
            dtype = pl.Int64() if column.dtype != pl.UInt64 else pl.UInt64()
            there = [int(value) for value in numbers if value == int(value)]
            there = [value for value in there if value >= 0 or dtype == pl.Int64]
        else:
            dtype = pl.Boolean()
            there = [bool(value) for value in numbers if value in (0, 1)]
    return pl.Series("member", there, dtype).unique(maintain_order=True)


def fitted(columns: Sequence[Column], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with the members of a set as the one column holds them: beside instants, instants.

    Raises ValueError for a member that no value of the column can be: it would hold or fail for any.
    """
    if "value_set" not in kwargs or len(columns) != 1 or columns[0].family is None:
        return dict(kwargs)
    return {**kwargs, "value_set": [_member(columns[0], value) for value in kwargs["value_set"]]}


def _member(column: Column, value: Any) -> Any:
    if column.family == "instant" and isinstance(value, str | date):
        if isinstance(value, str):
            return instant(value)
        midnight = value if isinstance(value, datetime) else datetime.combine(value, time())
        return midnight if midnight.tzinfo else midnight.replace(tzinfo=UTC)
    kinds: tuple[type, ...] = {"string": (str,), "instant": (), "boolean": (bool, int)}.get(
        column.family or "", (int, float)
    )
    if value is not None and not isinstance(value, kinds):
        raise ValueError(f"{value!r} can be no value of column {column.name!r} of {column.dtype}")
    return value
