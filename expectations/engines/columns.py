"""What Great Expectations measures of a whole column, as Polars aggregates of one select."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from expectations.engines.values import EVERY, NUMERIC, ORDERED, Column, NoForm, bound, members, number

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure of a column: `parts` are aggregated (one value each), `value` makes it from them."""

    parts: Sequence[pl.Expr]
    value: Callable[..., Any]


def measured(metric: str, column: Column, given: Mapping[str, Any]) -> Measured:
    """The measure of a column by Great Expectations' name for it; NoForm if Polars has none."""
    if metric not in _MEASURES:
        raise NoForm(f"the measure {metric}")
    return _MEASURES[metric](column, given)


def _itself(value: Any) -> Any:
    return value


def _number(aggregate: Callable[[pl.Expr], pl.Expr]) -> Callable[[Column, Mapping[str, Any]], Measured]:
    return lambda column, _: Measured([aggregate(column.of(*NUMERIC).value)], _itself)


def _sum(column: Column, given: Mapping[str, Any]) -> Measured:
    value = column.of(*NUMERIC).value
    # Int64 would start again from below.
    return Measured([(value.cast(pl.Int128) if column.family == "integer" else value).sum()], _itself)


def _median(column: Column, given: Mapping[str, Any]) -> Measured:
    value = column.of(*NUMERIC).value
    # Polars goes from the one to the other, and from infinity to itself is no number.
    middle = [value.quantile(0.5, "lower"), value.quantile(0.5, "higher")]
    return Measured(middle, lambda low, high: low if low == high else low / 2 + high / 2)


def _extreme(aggregate: Callable[[pl.Expr], pl.Expr]) -> Callable[[Column, Mapping[str, Any]], Measured]:
    return lambda column, _: Measured([aggregate(column.of(*ORDERED).shown)], _itself)


def _distinct(column: Column) -> pl.Expr:
    return column.of(*EVERY).value.drop_nulls()


def _unique_share(column: Column, given: Mapping[str, Any]) -> Measured:
    values = _distinct(column)
    return Measured([values.n_unique(), values.len()], lambda unique, all_: unique / all_ if all_ else 0)


def _not_null_share(column: Column, given: Mapping[str, Any]) -> Measured:
    return Measured([column.value.count(), pl.len()], lambda there, all_: there / all_ if all_ else 0)


def _modes(column: Column, given: Mapping[str, Any]) -> Measured:
    values = column.of("integer", "float", "string").value
    return Measured([values.drop_nulls().mode().sort().implode()], pl.Series.to_list)


def _strange(column: Column, given: Mapping[str, Any], counted: bool) -> Measured:
    """The distinct values that are not in the set, or how many."""
    values = _distinct(column)
    strange = values.filter(~values.is_in(_set(column, given).implode()))
    part = strange.n_unique() if counted else strange.unique().sort().head(_SHOWN).implode()
    return Measured([part], _itself if counted else pl.Series.to_list)


def _absent(column: Column, given: Mapping[str, Any], counted: bool) -> Measured:
    """The members of the set that do not occur, or how many."""
    values, wanted = _distinct(column), set(given["value_set"])
    found = values.filter(values.is_in(_set(column, given).implode())).unique().implode()

    def missing(there: pl.Series) -> Any:
        absent = list(wanted - set(there.to_list()))
        return len(absent) if counted else absent

    return Measured([found], missing)


def _set(column: Column, given: Mapping[str, Any]) -> pl.Series:
    # There pandas reads a text as an instant.
    if column.family == "instant" and any(isinstance(value, str) for value in given["value_set"]):
        raise NoForm(f"a set with text for column {column.name!r} of {column.dtype}")
    return members(column, given["value_set"])


def _quantiles(column: Column, given: Mapping[str, Any]) -> Measured:
    values = column.of(*NUMERIC).value
    method = given["allow_relative_error"] or "nearest"
    if method not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise NoForm(f"the interpolation {method!r}")
    # pandas asks NumPy by percentiles.
    shares = [share * 100 / 100 for share in given["quantiles"]]
    places = [(values.count().cast(pl.Int64) - 1) * share for share in shares]
    ends = [place.floor().cast(pl.Int64) + up for place in places for up in (0, 1)]
    ordered = values.drop_nulls().sort()
    found = [ordered.get(end, null_on_oob=True) for end in ends]

    def between(count: int, *found: float | None) -> list[float]:
        pairs = zip(shares, found[::2], found[1::2], strict=True)
        return [_interpolated(count, share, low, high, method) for share, low, high in pairs]

    return Measured([values.count(), *found], between)


def _interpolated(count: int, share: float, low: float | None, high: float | None, method: str) -> float:
    """Between two values that follow each other; there is no higher one at the end."""
    if low is None:
        return math.nan
    whole, part = divmod((count - 1) * share, 1)
    above = low if high is None else high
    if method == "nearest":
        return above if part > 0.5 or (part == 0.5 and whole % 2) else low
    if method in ("lower", "higher"):
        return above if part and method == "higher" else low
    # NumPy's own way beside infinity: twice infinity is infinity, any other neighbour makes it no number.
    return float(np.quantile(np.array([low, above]), part if method == "linear" else 0.5 * bool(part)))


def _counts(column: Column, given: Mapping[str, Any]) -> Measured:
    """How often each value occurs, in the order of the values."""
    values = column.of("integer", "float", "string").value.drop_nulls()

    def series(found: pl.Series) -> pd.Series:
        table = found.struct.unnest().sort("value")
        index = pd.Index(table["value"].to_pandas(), name="value")
        return pd.Series(table["count"].to_numpy(), index=index, name="count")

    return Measured([values.alias("value").value_counts(name="count").implode()], series)


def _histogram(column: Column, given: Mapping[str, Any]) -> Measured:
    """The count in each bin, [from, to), the last one with its end: as NumPy counts."""
    values, edges = column.of(*NUMERIC).value, list(given["bins"])
    if edges != sorted(edges):
        raise NoForm("bins out of order")
    below = [(values < number(column, edge)).sum() for edge in edges[:-1]]
    below.append((values <= number(column, edges[-1])).sum())
    return Measured(below, lambda *counts: [high - low for low, high in pairwise(counts)])


def _beyond(column: Column, given: Mapping[str, Any]) -> Measured:
    values = column.of(*NUMERIC).value
    if given.get("max_value") is not None:
        return Measured([(values < bound(column, given["max_value"])).sum()], _itself)
    return Measured([(values > bound(column, given["min_value"])).sum()], _itself)


_MEASURES: dict[str, Callable[[Column, Mapping[str, Any]], Measured]] = {
    "column.max": _extreme(pl.Expr.max),
    "column.min": _extreme(pl.Expr.min),
    "column.mean": _number(pl.Expr.mean),
    "column.median": _median,
    "column.standard_deviation": _number(pl.Expr.std),
    "column.sum": _sum,
    "column.quantile_values": _quantiles,
    "column.most_common_value": _modes,
    "column.distinct_values.count": lambda column, _: Measured([_distinct(column).n_unique()], _itself),
    "column.distinct_values.not_in_set": partial(_strange, counted=False),
    "column.distinct_values.not_in_set.count": partial(_strange, counted=True),
    "column.distinct_values.missing_from_column": partial(_absent, counted=False),
    "column.distinct_values.missing_from_column.count": partial(_absent, counted=True),
    "column.unique_proportion": _unique_share,
    "column.non_null_proportion": _not_null_share,
    "column.value_counts": _counts,
    "column.histogram": _histogram,
    "column_values.between.count": _beyond,
    "column_values.nonnull.count": lambda column, _: Measured([column.value.count()], np.int64),
}
