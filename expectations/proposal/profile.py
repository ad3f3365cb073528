"""What a batch holds, column by column: counted in one pass over it, in a stream."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from expectations.proposal.shapes import shape

Sort = Literal["number", "instant", "text", "boolean", "other"]

VALUES = 100  # a column with more values than this is no category
_SAMPLE = 2_000
_LEVELS = [level / 20 for level in range(1, 20)]


@dataclass(frozen=True, slots=True)
class Column:
    """A column in one batch.

    `nulls` counts NaN too; `endless` the infinities. `distinct` is an estimate. `least`, `greatest`
    and the 19 `levels` (quantiles in steps of 0.05) are of the finite values: numbers, instants, or,
    in a text column, lengths. None where there are no values. `shapes` counts those of some texts.
    """

    rows: int
    nulls: int
    endless: int = 0
    distinct: int = 0
    least: Any = None
    greatest: Any = None
    levels: tuple[float, ...] = ()
    shapes: int = 0

    @property
    def held(self) -> int:
        """How many values there are."""
        return self.rows - self.nulls


def sort(dtype: pl.DataType) -> Sort:
    """What can be asked of a column of this dtype."""
    if dtype.is_integer() or dtype.is_float():
        return "number"
    if isinstance(dtype, pl.Datetime | pl.Date):
        return "instant"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return "boolean" if isinstance(dtype, pl.Boolean) else "other"


def profile(rows: pl.LazyFrame, columns: Mapping[str, pl.DataType]) -> dict[str, Column]:
    """The first pass over a batch: each of these columns by itself."""
    wanted = {
        (place, what): expr
        for place, (column, dtype) in enumerate(columns.items())
        for what, expr in _asked(pl.col(column), dtype)
    }
    named = {f"{place} {what}": expr for (place, what), expr in wanted.items()}
    found = rows.select(pl.len().alias("rows"), **named).collect(engine="streaming").row(0, named=True)
    return {
        column: _column(found["rows"], {what: found[f"{at} {what}"] for at, what in wanted if at == place})
        for place, column in enumerate(columns)
    }


def _asked(value: pl.Expr, dtype: pl.DataType) -> Iterator[tuple[str, pl.Expr]]:
    kind = sort(dtype)
    if dtype.is_float():
        yield "endless", value.is_infinite().sum()
        value = pl.when(value.is_finite()).then(value)
        yield "gaps", value.is_null().sum()
    else:
        yield "nulls", value.is_null().sum()
    if kind in ("number", "instant"):
        yield "distinct", value.drop_nulls().approx_n_unique()
        yield "least", value.min()
        yield "greatest", value.max()
        yield "levels", value.to_physical().cast(pl.Float64).quantile(_LEVELS)
    if kind == "text":
        text = value.cast(pl.String)
        yield "distinct", text.drop_nulls().approx_n_unique()
        yield "least", text.str.len_chars().min()
        yield "greatest", text.str.len_chars().max()
        yield "shapes", shape(text.drop_nulls().head(_SAMPLE)).n_unique()


def _column(rows: int, found: Mapping[str, Any]) -> Column:
    endless = found.get("endless") or 0
    nulls = found["nulls"] if "nulls" in found else found["gaps"] - endless
    levels = found.get("levels") or []
    return Column(
        rows=rows,
        nulls=nulls,
        endless=endless,
        distinct=found.get("distinct") or 0,
        least=found.get("least"),
        greatest=found.get("greatest"),
        levels=() if None in levels else tuple(levels),
        shapes=found.get("shapes") or 0,
    )
