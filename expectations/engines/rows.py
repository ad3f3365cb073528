"""Expectations about single rows, as Polars expressions that are true where a row fails."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import and_, or_
from typing import Any

import polars as pl

from expectations.engines.conditions import good
from expectations.engines.values import EVERY, NUMERIC, ORDERED, Column, NoForm, comparable, members, number

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """`bad` is true where a row fails (Boolean, null is false), `judged` how many were looked at.

    With `key`, `bad` is true where a row may fail, and those of them do whose key is there twice.
    """

    bad: pl.Expr
    judged: pl.Expr
    key: pl.Expr | None = None


def rows(condition: str, columns: list[Column], given: Given) -> Rows:
    """The rows that fail a condition, by Great Expectations' name for it, and how many it looks at.

    `given` holds the arguments of the condition, and `ignore_row_if`. Raises NoForm if Polars has
    no form of the condition on such columns.
    """
    if condition in ("column_values.nonnull", "column_values.null"):
        return _about_nulls(condition, columns[0])
    if condition == "compound_columns.unique":
        key = pl.struct(column.of(*EVERY).value.alias(column.name) for column in columns)
        judged = _judged(columns, given["ignore_row_if"])
        # Hashes are compared faster than keys, and few keys share one.
        return Rows(judged & key.hash().is_duplicated(), judged.sum(), key)
    if condition in _OF_SEVERAL:
        judged = _judged(columns, given["ignore_row_if"])
        return Rows(judged & ~_OF_SEVERAL[condition](columns, given).fill_null(False), judged.sum())
    held = good(condition, columns[0], given)
    if held is None:
        raise NoForm(f"the condition {condition}")
    return Rows(columns[0].value.is_not_null() & ~held, columns[0].value.count())


def _about_nulls(condition: str, column: Column) -> Rows:
    # What a list or a blob looks like in a result is pandas' own affair.
    bad = column.value.is_null() if condition.endswith("nonnull") else column.of(*EVERY).value.is_not_null()
    return Rows(bad, pl.len())


def _judged(columns: list[Column], ignore: str) -> pl.Expr:
    missing = [column.value.is_null() for column in columns]
    if ignore in ("both_values_are_missing", "all_values_are_missing"):
        return ~pl.all_horizontal(missing)
    if ignore in ("either_value_is_missing", "any_value_is_missing"):
        return ~pl.any_horizontal(missing)
    return pl.repeat(True, pl.len(), dtype=pl.Boolean)


def _equal(columns: list[Column], given: Given) -> pl.Expr:
    comparable(*columns)
    return columns[0].value == columns[1].value


def _greater(columns: list[Column], given: Given) -> pl.Expr:
    comparable(*columns)
    one, other = (column.of(*ORDERED).value for column in columns)
    return one >= other if given.get("or_equal") else one > other


def _pair_in_set(columns: list[Column], given: Given) -> pl.Expr:
    sides = [column.of(*NUMERIC, "string", "boolean") for column in columns]
    pairs = [
        reduce(and_, (_equals(column, value) for column, value in zip(sides, pair, strict=True)))
        for pair in given["value_pairs_set"]
    ]
    return reduce(or_, pairs, pl.lit(False))


def _equals(column: Column, value: Any) -> pl.Expr:
    if value is None:
        return column.value.is_null()
    there = members(column, [value])
    return column.value.eq_missing(pl.lit(there[0], there.dtype)) if len(there) else pl.lit(False)


def _sum(columns: list[Column], given: Given) -> pl.Expr:
    comparable(*columns)
    if not math.isfinite(given["sum_total"]):
        raise NoForm("a sum without end")
    total = reduce(lambda one, other: one + other, (column.of(*NUMERIC).value for column in columns))
    floats = [column for column in columns if column.family == "float"]
    return total == number((floats or columns)[0], given["sum_total"])


def _all_equal(columns: list[Column], given: Given) -> pl.Expr:
    comparable(*columns)
    first = columns[0].value
    return reduce(and_, (column.value.eq_missing(first) for column in columns))


def _all_different(columns: list[Column], given: Given) -> pl.Expr:
    comparable(*columns)
    values = [column.of(*NUMERIC, "string").value for column in columns]
    return reduce(and_, (one.ne_missing(other) for one, other in combinations(values, 2)), pl.lit(True))


_OF_SEVERAL: dict[str, Callable[[list[Column], Given], pl.Expr]] = {
    "column_pair_values.equal": _equal,
    "column_pair_values.a_greater_than_b": _greater,
    "column_pair_values.in_set": _pair_in_set,
    "multicolumn_sum.equal": _sum,
    "multicolumn_values.equal": _all_equal,
    "select_column_values.unique.within_record": _all_different,
}
