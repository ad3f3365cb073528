"""What the batches of a dataset hold, column by column: counted in two passes over each, in a stream."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from expectations.shapes import RANGES, Shapes, common, loose, shape

Sort = Literal["number", "instant", "text", "boolean", "other"]

VALUES = 100  # a column with more values than this is no category
_SHAPES = 300
_LEVELS = [level / 20 for level in range(1, 20)]


@dataclass(frozen=True, slots=True)
class Column:
    """A column in one batch.

    `nulls` counts NaN too; `endless` the infinities. `distinct` is an estimate. `least`, `greatest`
    and the 19 `levels` (quantiles in steps of 0.05) are of the finite values: numbers, instants, or,
    in a text column, lengths. None where there are no values.
    """

    rows: int
    nulls: int
    endless: int = 0
    distinct: int = 0
    least: Any = None
    greatest: Any = None
    levels: tuple[float, ...] = ()
    shapes: int = 0
    ends: tuple[str, str] = ("", "")

    @property
    def held(self) -> int:
        """How many values there are."""
        return self.rows - self.nulls


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns in one batch, where neither is null: how often a < b, a = b, a > b."""

    below: int
    equal: int
    above: int


@dataclass(frozen=True, slots=True)
class Closer:
    """What the second pass found in one batch.

    `values` counts each value of a column with few; `exact` the distinct values of those that may
    be unique, the dataset's `key` among them as ""; `members` the rows whose value a list has.
    """

    values: Mapping[str, Mapping[Any, int]] = field(default_factory=dict)
    shapes: Mapping[str, Shapes] = field(default_factory=dict)
    exact: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pairs: Mapping[tuple[str, str], Pair] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What the second pass should count: see Closer. `members` maps (column, name) to the list."""

    values: Sequence[str] = ()
    shapes: Mapping[str, bool] = field(default_factory=dict)
    exact: Sequence[str] = ()
    key: Sequence[str] = ()
    members: Mapping[tuple[str, str], pl.Series] = field(default_factory=dict)
    pairs: Sequence[tuple[str, str]] = ()


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


def closer(rows: pl.LazyFrame, look: Look) -> Closer:
    """The second pass over a batch: what `look` asks for."""
    schema = rows.collect_schema()
    asked = [
        *(("values", each, pl.col(each).value_counts(name=":n").implode()) for each in look.values),
        *(("shapes", each, _shapes(each, wild)) for each, wild in look.shapes.items()),
        *(("ranges", each, _ranges(each)) for each, wild in look.shapes.items() if wild),
        *(("exact", each, pl.col(each).drop_nulls().n_unique()) for each in look.exact),
        *(("exact", "", pl.struct(look.key).n_unique()) for _ in (look.key,) if look.key),
        *(("members", each, _members(each[0], known)) for each, known in look.members.items()),
        *(("pairs", each, _pair(*(_number(name, schema[name]) for name in each))) for each in look.pairs),
    ]
    named = {str(place): expr for place, (_, _, expr) in enumerate(asked)}
    if not named:
        return Closer()
    found = rows.select(**named).collect(engine="streaming").row(0)
    of: dict[str, dict[Any, Any]] = {
        kind: {} for kind in ("values", "shapes", "ranges", "exact", "members", "pairs")
    }
    for (kind, each, _), value in zip(asked, found, strict=True):
        of[kind][each] = value
    return Closer(
        values={each: _counts(each, listed) for each, listed in of["values"].items()},
        shapes={
            each: Shapes(frozenset(listed) - {None}, "", "", frozenset(of["ranges"].get(each) or ()))
            for each, listed in of["shapes"].items()
        },
        exact=of["exact"],
        members=of["members"],
        pairs={each: Pair(**counts) for each, counts in of["pairs"].items()},
    )


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
        yield "shapes", shape(text).approx_n_unique()
        for what, read in (("start", text), ("end", text.str.reverse())):
            yield f"{what} a", read.min()
            yield f"{what} z", read.max()


def _column(rows: int, found: Mapping[str, Any]) -> Column:
    endless = found.get("endless") or 0
    nulls = found["nulls"] if "nulls" in found else found["gaps"] - endless
    start, end = (
        common(found.get(f"{what} a") or "", found.get(f"{what} z") or "") for what in ("start", "end")
    )
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
        ends=(start, end[::-1]),
    )


def _shapes(column: str, wild: bool) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    # So many kinds of shape are none: a text without a form.
    return (loose(text) if wild else shape(text)).unique().head(_SHAPES + 1).implode()


def _ranges(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String)
    return pl.concat_list(
        pl.when(text.str.contains(f"[{span}]").any()).then(pl.lit(span)) for span in RANGES
    ).list.drop_nulls()


def _members(column: str, known: pl.Series) -> pl.Expr:
    value = pl.col(column)
    if known.dtype == pl.String:
        value = value.cast(pl.String)
    return value.is_in(known.drop_nulls().unique().implode()).sum()


def _number(column: str, dtype: pl.DataType) -> pl.Expr:
    # NaN is no value, but would be the greatest of all.
    return pl.col(column).fill_nan(None) if dtype.is_float() else pl.col(column)


def _pair(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    return pl.struct(
        below=(first < second).sum(), equal=(first == second).sum(), above=(first > second).sum()
    )


def _counts(column: str, listed: Sequence[Mapping[str, Any]]) -> dict[Any, int]:
    return {each[column]: each[":n"] for each in listed if each[column] is not None}
