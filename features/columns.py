"""What the kinds of features share: the columns that they read, and the dtypes that they end as."""

import difflib
import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import TypeVar

import polars as pl
from polars.expr.datetime import ExprDateTimeNameSpace

from core.errors import SpecError
from core.spec import FeatureKind, LocalTime, Retrieved, RowFeature

F = TypeVar("F")

DECISION = "decision_time"
INSTANT = pl.Datetime("us", "UTC")
# Columns of intermediate frames begin with a colon, which no column of a dataset does.
ROW = ":row"
ASKED = ":asked"


def alike(features: Mapping[str, F], way: Callable[[F], Hashable]) -> list[dict[str, F]]:
    """The features in groups that share `way`, so that what they share is computed once."""
    groups: dict[Hashable, dict[str, F]] = {}
    for name, feature in features.items():
        groups.setdefault(way(feature), {})[name] = feature
    return list(groups.values())


def require(columns: Iterable[str], known: Collection[str], asker: str, dataset: str) -> None:
    """Raise SpecError, naming the nearest column that there is, unless all `columns` are `known`."""
    for column in columns:
        if column not in known:
            near = difflib.get_close_matches(column, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
            raise SpecError(f"{asker}: dataset {dataset} has no column {column!r}; {hint}")


def instant(column: str, schema: pl.Schema, asker: str) -> pl.Expr:
    """The column in microseconds; SpecError when it does not hold instants in UTC."""
    dtype = schema[column]
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone != "UTC":
        raise SpecError(f"{asker}: column {column!r} is {dtype}: an instant is a datetime in UTC")
    return pl.col(column).cast(INSTANT)


def retrieved(feature: Retrieved) -> str:
    """The column of a list's rows that holds what the retriever says of them."""
    return f":{feature.value}"


def of_event(name: str, feature: RowFeature | LocalTime | Retrieved, schema: pl.Schema) -> pl.Expr:
    """The feature's value in the event's own row.

    `hour` and `minute_of_day` run from 0 to 23 and 1439, the other parts from 1: `weekday` from 1 on
    Mondays to 7 on Sundays. With `cycle`, the sine or cosine of how far round its circle the part is.
    """
    if isinstance(feature, RowFeature):
        return pl.col(feature.column).alias(name)
    if isinstance(feature, Retrieved):
        return pl.col(retrieved(feature)).alias(name)
    local = instant(feature.column, schema, f"feature {name}").dt.convert_time_zone(feature.timezone)
    part, first, period = _part(feature.part, local.dt)
    if feature.cycle is None:
        return part.alias(name)
    angle = (part - first) * (2 * math.pi) / period
    return (angle.sin() if feature.cycle == "sin" else angle.cos()).alias(name)


def _part(part: str, local: ExprDateTimeNameSpace) -> tuple[pl.Expr, int, pl.Expr | int]:
    """The part, its first value, and how many there are until it is the first again."""
    match part:
        case "hour":
            return local.hour().cast(pl.Int32), 0, 24
        case "minute_of_day":
            return local.hour().cast(pl.Int32) * 60 + local.minute(), 0, 1440
        case "weekday":
            return local.weekday().cast(pl.Int32), 1, 7
        case "day_of_month":
            return local.day().cast(pl.Int32), 1, local.days_in_month()
        case "day_of_year":
            return local.ordinal_day().cast(pl.Int32), 1, 365 + local.is_leap_year().cast(pl.Int32)
    return local.month().cast(pl.Int32), 1, 12


def finished(name: str, kind: FeatureKind, dtype: pl.DataType) -> pl.Expr:
    """The feature as models get it: a Float32 or a String, null where it is missing.

    A number that is not finite as a Float32 (NaN, an infinity, 1e300) is missing.
    Raises SpecError when a column of this dtype cannot be of this kind.
    """
    column = pl.col(name)
    if kind != "number":
        if dtype.is_nested() or dtype == pl.Binary:
            raise SpecError(f"feature {name}: {dtype} is no {kind}")
        return column.cast(pl.String)
    if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        raise SpecError(f"feature {name}: {dtype} is no number; is it `kind: category`?")
    value = column.cast(pl.Float32)
    return pl.when(value.is_finite()).then(value).alias(name)
