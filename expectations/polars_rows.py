"""Expectations about single rows, as Polars expressions that are true where a row fails."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import and_, or_
from typing import Any

import polars as pl

from expectations.patterns import translated
from expectations.polars_values import Column, Family, NoForm, bound, comparable, members, number

_ORDERED: tuple[Family, ...] = ("integer", "float", "instant")
_NUMERIC: tuple[Family, ...] = ("integer", "float")
_EVERY: tuple[Family, ...] = ("integer", "float", "string", "boolean", "instant")


@dataclass(frozen=True, slots=True)
class Rows:
    """`bad` is true where a row fails (Boolean, null is false), `judged` how many were looked at."""

    bad: pl.Expr
    judged: pl.Expr


def rows(condition: str, columns: list[Column], given: Mapping[str, Any]) -> Rows:
    """The rows that fail a condition, by Great Expectations' name for it, and those it looks at.

    `given` holds the arguments of the condition, and `ignore_row_if`. Raises NoForm if Polars has
    no form of the condition on such columns.
    """
    if condition in ("column_values.nonnull", "column_values.null"):
        return _about_nulls(condition, columns[0])
    if condition in _OF_ONE:
        (column,) = columns
        good = _OF_ONE[condition](column, given)
        return Rows(column.value.is_not_null() & ~good, column.value.count())
    if condition in _OF_SEVERAL:
        judged = _judged(columns, given["ignore_row_if"])
        return Rows(judged & ~_OF_SEVERAL[condition](columns, given).fill_null(False), judged.sum())
    raise NoForm(f"the condition {condition}")


def _about_nulls(condition: str, column: Column) -> Rows:
    # What a list or a blob looks like in a result is pandas' own affair.
    bad = column.value.is_null() if condition.endswith("nonnull") else column.of(*_EVERY).value.is_not_null()
    return Rows(bad, pl.len())


def _judged(columns: list[Column], ignore: str) -> pl.Expr:
    missing = [column.value.is_null() for column in columns]
    if ignore in ("both_values_are_missing", "all_values_are_missing"):
        return ~pl.all_horizontal(missing)
    if ignore in ("either_value_is_missing", "any_value_is_missing"):
        return ~pl.any_horizontal(missing)
    return pl.repeat(True, pl.len(), dtype=pl.Boolean)


def _between(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    return _within(column.value, given, lambda value: bound(column.of(*_ORDERED), value))


def _within(value: pl.Expr, given: Mapping[str, Any], literal: Callable[[Any], pl.Expr]) -> pl.Expr:
    sides = []
    if given.get("min_value") is not None:
        low = literal(given["min_value"])
        sides.append(value > low if given.get("strict_min") else value >= low)
    if given.get("max_value") is not None:
        high = literal(given["max_value"])
        sides.append(value < high if given.get("strict_max") else value <= high)
    return reduce(and_, sides)


def _lengths(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    return _within(column.text.str.len_chars(), given, pl.lit)


def _length(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    return column.text.str.len_chars() == pl.lit(given["value"])


def _unique(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    return ~column.of(*_EVERY).value.is_duplicated()


def _in_set(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    return column.of(*_EVERY).value.is_in(members(column, given["value_set"]).implode())


def _not_in_set(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    # There pandas reads a text as an instant.
    if column.family == "instant" and any(isinstance(value, str) for value in given["value_set"]):
        raise NoForm(f"a set with text for column {column.name!r} of {column.dtype}")
    return ~_in_set(column, given)


def _matches(column: Column, pattern: str) -> pl.Expr:
    return column.text.str.contains(translated(pattern))


def _matches_list(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    found = [_matches(column, pattern) for pattern in given["regex_list"]]
    return reduce(and_ if given.get("match_on") == "all" else or_, found)


def _in_order(up: bool) -> Callable[[Column, Mapping[str, Any]], pl.Expr]:
    def good(column: Column, given: Mapping[str, Any]) -> pl.Expr:
        value = column.of(*_ORDERED).value
        before = value.forward_fill().shift(1)
        low, high = (before, value) if up else (value, before)
        ordered = low < high if given.get("strictly") else low <= high
        if column.family == "float":
            # pandas subtracts, and infinity from itself is no number.
            ordered = ordered | (value.is_infinite() & (value == before))
        return ordered.fill_null(True)

    return good


def _z_score(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    value = column.of(*_NUMERIC).value
    # Of one value the deviation is rounding.
    spread = pl.when(value.min() != value.max()).then(value.std())
    score = (value - value.mean()) / spread
    size = score.abs() if given["double_sided"] else score
    limit = abs(given["threshold"]) if given["double_sided"] else given["threshold"]
    # Without a spread no value is far out.
    return (size < limit).fill_null(True) | size.is_nan().fill_null(True)


def _not_outliers(column: Column, given: Mapping[str, Any]) -> pl.Expr:
    value, times = column.of(*_NUMERIC).value, given.get("multiplier", 1.5)
    if given.get("method", "iqr") == "iqr":
        first, third = _quartile(value, 0.25), _quartile(value, 0.75)
        reach = times * (third - first)
        inside = (value >= first - reach) & (value <= third + reach)
        sound = first.is_finite() & third.is_finite()
    else:
        mean, spread = value.mean(), value.std()
        reach = times * spread
        inside = pl.when(reach <= 0).then(value == mean).otherwise((value - mean).abs() < reach)
        sound = mean.is_finite() & spread.is_finite()
    return inside | ~sound.fill_null(False)


def _quartile(value: pl.Expr, share: float) -> pl.Expr:
    """Interpolated as NumPy does it, to the last bit: a value may lie on the very fence."""
    low, high = value.quantile(share, "lower"), value.quantile(share, "higher")
    place = (value.count().cast(pl.Int64) - 1) * share
    part = place - place.floor()
    upward, downward = low + (high - low) * part, high - (high - low) * (1 - part)
    return pl.when(part < 0.5).then(upward).otherwise(downward)


def _equal(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    comparable(*columns)
    return columns[0].value == columns[1].value


def _greater(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    comparable(*columns)
    one, other = (column.of(*_ORDERED).value for column in columns)
    return one >= other if given.get("or_equal") else one > other


def _pair_in_set(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    one, other = (column.of("integer", "float", "string", "boolean") for column in columns)
    found = []
    for pair in given["value_pairs_set"]:
        sides = [_equals(column, value) for column, value in zip((one, other), pair, strict=True)]
        found.append(reduce(and_, sides))
    return reduce(or_, found, pl.lit(False))


def _equals(column: Column, value: Any) -> pl.Expr:
    if value is None:
        return column.value.is_null()
    there = members(column, [value])
    return column.value.eq_missing(pl.lit(there[0], there.dtype)) if len(there) else pl.lit(False)


def _compound_unique(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    return ~pl.struct(column.of(*_EVERY).value.alias(column.name) for column in columns).is_duplicated()


def _sum(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    comparable(*columns)
    total = reduce(lambda one, other: one + other, (column.of(*_NUMERIC).value for column in columns))
    if not math.isfinite(given["sum_total"]):
        raise NoForm("a sum without end")
    floats = [column for column in columns if column.family == "float"]
    return total == number((floats or columns)[0], given["sum_total"])


def _all_equal(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    comparable(*columns)
    first = columns[0].value
    return reduce(and_, (column.value.eq_missing(first) for column in columns))


def _all_different(columns: list[Column], given: Mapping[str, Any]) -> pl.Expr:
    comparable(*columns)
    values = [column.of("integer", "float", "string").value for column in columns]
    return reduce(and_, (one.ne_missing(other) for one, other in combinations(values, 2)), pl.lit(True))


_OF_ONE: dict[str, Callable[[Column, Mapping[str, Any]], pl.Expr]] = {
    "column_values.between": _between,
    "column_values.value_length.between": _lengths,
    "column_values.value_length.equals": _length,
    "column_values.unique": _unique,
    "column_values.in_set": _in_set,
    "column_values.not_in_set": _not_in_set,
    "column_values.match_regex": lambda column, given: _matches(column, given["regex"]),
    "column_values.not_match_regex": lambda column, given: ~_matches(column, given["regex"]),
    "column_values.match_regex_list": _matches_list,
    "column_values.not_match_regex_list": lambda column, given: ~_matches_list(column, given),
    "column_values.increasing": _in_order(up=True),
    "column_values.decreasing": _in_order(up=False),
    "column_values.z_score.under_threshold": _z_score,
    "column_values.not_outliers": _not_outliers,
}
_OF_SEVERAL: dict[str, Callable[[list[Column], Mapping[str, Any]], pl.Expr]] = {
    "column_pair_values.equal": _equal,
    "column_pair_values.a_greater_than_b": _greater,
    "column_pair_values.in_set": _pair_in_set,
    "compound_columns.unique": _compound_unique,
    "multicolumn_sum.equal": _sum,
    "multicolumn_values.equal": _all_equal,
    "select_column_values.unique.within_record": _all_different,
}
