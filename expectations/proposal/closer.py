"""A closer look at a batch, at what a first pass made worth counting: values, shapes, keys, pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from expectations.proposal.shapes import RANGES, Shapes, common, loose, shape

_SHAPES = 300  # kinds of shape beyond which texts have none


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
    """What the second pass should count: see Closer.

    `shapes` says of a column whether they are loose, `often` lists those whose values repeat;
    `members` maps (column, name) to the list.
    """

    values: Sequence[str] = ()
    shapes: Mapping[str, bool] = field(default_factory=dict)
    often: Sequence[str] = ()
    exact: Sequence[str] = ()
    key: Sequence[str] = ()
    members: Mapping[tuple[str, str], pl.Series] = field(default_factory=dict)
    pairs: Sequence[tuple[str, str]] = ()


def closer(rows: pl.LazyFrame, look: Look) -> Closer:
    """The second pass over a batch: what `look` asks for."""
    asked = list(_asked(look, rows.collect_schema()))
    named = {str(place): expr for place, (_, _, expr) in enumerate(asked)}
    if not named:
        return Closer()
    found = rows.select(**named).collect(engine="streaming").row(0)
    of: dict[str, dict[Any, Any]] = {kind: {} for kind in ("values", "shapes", "exact", "members", "pairs")}
    for (kind, each, _), value in zip(asked, found, strict=True):
        of[kind][each] = value
    return Closer(
        values={each: _counts(each, listed) for each, listed in of["values"].items()},
        shapes={each: _shaped(**parts) for each, parts in of["shapes"].items()},
        exact=of["exact"],
        members=of["members"],
        pairs={each: Pair(**counts) for each, counts in of["pairs"].items()},
    )


def _asked(look: Look, schema: pl.Schema) -> Iterator[tuple[str, Any, pl.Expr]]:
    """What is counted: its kind, what it is of, and how."""
    for each in look.values:
        yield "values", each, pl.col(each).value_counts(name=":n").implode()
    for each, wild in look.shapes.items():
        yield "shapes", each, _shapes(each, wild, each in look.often)
    for each in look.exact:
        yield "exact", each, pl.col(each).drop_nulls().n_unique()
    if look.key:
        yield "exact", "", pl.struct(look.key).n_unique()
    for member, known in look.members.items():
        yield "members", member, _members(member[0], known)
    for pair in look.pairs:
        yield "pairs", pair, _pair(*(_number(name, schema[name]) for name in pair))


def _shapes(column: str, wild: bool, often: bool) -> pl.Expr:
    text = pl.col(column).cast(pl.String).drop_nulls()
    text = text.unique() if often else text
    backward = text.str.reverse()
    there = [pl.when(text.str.contains(f"[{span}]").any()).then(pl.lit(span)) for span in RANGES]
    return pl.struct(
        shapes=(loose if wild else shape)(text).unique().head(_SHAPES + 1).implode(),
        ranges=pl.concat_list(there).list.drop_nulls() if wild else pl.lit([], pl.List(pl.String)),
        start=pl.concat_list(text.min(), text.max()),
        end=pl.concat_list(backward.min(), backward.max()),
    )


def _shaped(shapes: list[str], ranges: list[str], start: list[str], end: list[str]) -> Shapes:
    if not shapes or len(shapes) > _SHAPES:
        return Shapes(frozenset(), "", "")
    return Shapes(frozenset(shapes), common(*start), common(*end)[::-1], frozenset(ranges))


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
