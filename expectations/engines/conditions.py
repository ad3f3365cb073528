"""Conditions on the values of one column, as Polars expressions that are true where a value is good."""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

import polars as pl

from expectations.engines.patterns import translated
from expectations.engines.values import EVERY, NUMERIC, ORDERED, Column, NoForm, bound, members, number

Given = Mapping[str, Any]


def good(condition: str, column: Column, given: Given) -> pl.Expr | None:
    """Where a value meets a condition, by Great Expectations' name for it; None if it is none of these.

    What stands at a null is of no account. Raises NoForm if Polars has no form of the condition on
    such a column.
    """
    return _CONDITIONS[condition](column, given) if condition in _CONDITIONS else None


def _between(column: Column, given: Given) -> pl.Expr:
    return _within(column.value, given, lambda value: bound(column.of(*ORDERED), value))


def _within(value: pl.Expr, given: Given, literal: Callable[[Any], pl.Expr]) -> pl.Expr:
    sides = []
    if given.get("min_value") is not None:
        low = literal(given["min_value"])
        sides.append(value > low if given.get("strict_min") else value >= low)
    if given.get("max_value") is not None:
        high = literal(given["max_value"])
        sides.append(value < high if given.get("strict_max") else value <= high)
    return reduce(and_, sides)


def _lengths(column: Column, given: Given) -> pl.Expr:
    return _within(column.text.str.len_chars(), given, lambda value: number(column, value))


def _length(column: Column, given: Given) -> pl.Expr:
    return column.text.str.len_chars() == number(column, given["value"])


def _unique(column: Column, given: Given) -> pl.Expr:
    return ~column.of(*EVERY).value.is_duplicated()


def _in_set(column: Column, given: Given) -> pl.Expr:
    return column.of(*EVERY).value.is_in(members(column, given["value_set"]).implode())


def _not_in_set(column: Column, given: Given) -> pl.Expr:
    # There pandas reads a text as an instant.
    if column.family == "instant" and any(isinstance(value, str) for value in given["value_set"]):
        raise NoForm(f"a set with text for column {column.name!r} of {column.dtype}")
    return ~_in_set(column, given)


def _matches(column: Column, pattern: str) -> pl.Expr:
    return column.text.str.contains(translated(pattern))


def _matches_list(column: Column, given: Given) -> pl.Expr:
    found = [_matches(column, pattern) for pattern in given["regex_list"]]
    return reduce(and_ if given.get("match_on") == "all" else or_, found)


def _in_order(column: Column, given: Given, up: bool) -> pl.Expr:
    value = column.of(*ORDERED).value
    before = value.forward_fill().shift(1)
    low, high = (before, value) if up else (value, before)
    ordered = low < high if given.get("strictly") else low <= high
    if column.family == "float":
        # pandas subtracts, and infinity less infinity is no number.
        ordered = ordered | (value.is_infinite() & (value == before))
    return ordered.fill_null(True)


def _z_score(column: Column, given: Given) -> pl.Expr:
    value = column.of(*NUMERIC).value
    # Of one value the deviation is rounding.
    spread = pl.when(value.min() != value.max()).then(value.std())
    score = (value - value.mean()) / spread
    limit: float = given["threshold"]
    size, limit = (score.abs(), abs(limit)) if given["double_sided"] else (score, limit)
    # Without a spread no value is far out.
    return (size < limit).fill_null(True) | size.is_nan().fill_null(True)


def _not_outliers(column: Column, given: Given) -> pl.Expr:
    value, times = column.of(*NUMERIC).value, float(given.get("multiplier", 1.5))
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


_CONDITIONS: dict[str, Callable[[Column, Given], pl.Expr]] = {
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
    "column_values.increasing": lambda column, given: _in_order(column, given, up=True),
    "column_values.decreasing": lambda column, given: _in_order(column, given, up=False),
    "column_values.z_score.under_threshold": _z_score,
    "column_values.not_outliers": _not_outliers,
}
