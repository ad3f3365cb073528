"""How the columns of a batch are distributed, beside those of a reference batch, without holding either."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from core.plain import plain
from monitoring.drift.stability import psi
from reports.data.dataset import Column, Side
from stages.reports.bins import DECILES, Bins, bins_of, kind_of

Found = Mapping[str, Any]

_NOT_THEIRS = ("batch", "row", "row_hash")
_TOP = 20
# So many columns are read at once: memory stays that of a few, however many there are.
_TOGETHER = 8
_QUANTILES = [0.01, *DECILES, 0.99]


def distributions(
    current: pl.LazyFrame, reference: pl.LazyFrame | None, timezone: str, min_rows: int
) -> Iterator[Column]:
    """Each column of `current` in bins that suit both batches, in their order.

    Both are read twice, a few columns at a time: for their range, and for their counts. Hours are
    those of `timezone`. The `reference` of a column is None where that batch has no such column of
    that kind; `psi` is None there, and where either side has fewer than `min_rows` rows.
    """
    schema = current.collect_schema()
    before = reference.collect_schema() if reference is not None else pl.Schema()
    names = [name for name in schema if name not in _NOT_THEIRS]
    for start in range(0, len(names), _TOGETHER):
        some = {name: schema[name] for name in names[start : start + _TOGETHER]}
        same = {name: dtype for name, dtype in some.items() if before.get(name) == dtype}
        now, then = _look(current, some), _look(reference, same)
        bins = {name: bins_of(dtype, now[name], then.get(name)) for name, dtype in some.items()}
        counts = _count(current, some, bins, timezone)
        counts_then = _count(reference, same, bins, timezone)
        for name in some:
            side = _side(now[name], counts[name])
            other = _side(then[name], counts_then[name]) if name in then else None
            enough = other is not None and min(side["rows"], other["rows"]) >= max(min_rows, 1)
            yield Column(
                column=name,
                kind=bins[name].kind,
                edges=bins[name].edges,
                labels=[str(label) for label in bins[name].names],
                psi=_moved(bins[name], counts_then[name], counts[name]) if enough else None,
                current=side,
                reference=other,
            )


def _look(rows: pl.LazyFrame | None, schema: Mapping[str, pl.DataType]) -> dict[str, Found]:
    """The range of each column: what its bins are made from."""
    if rows is None or not schema:
        return {}
    seen = [pl.struct(_seen(name, dtype)).alias(name) for name, dtype in schema.items()]
    return rows.select(seen).collect().row(0, named=True)


def _seen(name: str, dtype: pl.DataType) -> list[pl.Expr]:
    kind, column = kind_of(dtype), pl.col(name)
    missing = column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()
    seen = [pl.len().alias("rows"), missing.sum().alias("missing")]
    if kind == "other":
        return seen
    value = _value(name, dtype)
    if kind == "category":
        # Sorted inside a list: worked out twice, the counts would be in two orders.
        element = pl.element().struct
        order = [-element.field("rows").cast(pl.Int64), element.field("value")]
        counts = value.drop_nulls().alias("value").value_counts(name="rows").implode()
        most = counts.list.eval(pl.element().sort_by(order).head(_TOP)).alias("top")
        return [*seen, value.drop_nulls().n_unique().alias("distinct"), most]
    if kind == "boolean":
        return seen
    infinite = column.is_infinite().sum() if dtype.is_float() else pl.lit(0)
    seen += [infinite.alias("infinite"), value.min().alias("least"), value.max().alias("most")]
    seen.append(value.median().alias("middle"))
    return [*seen, value.quantile(_QUANTILES, "lower").alias("quantiles")] if kind == "number" else seen


def _value(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column without what is no value: NaN and infinity."""
    column = pl.col(name)
    if dtype.is_float():
        return pl.when(column.is_finite()).then(column).alias(name)
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.Float64)
    return column.cast(pl.String) if kind_of(dtype) == "category" else column


def _binned(name: str, dtype: pl.DataType, timezone: str) -> pl.Expr:
    """What is counted of the column: its value, the hour of an instant, the weekday of a date."""
    value, kind = _value(name, dtype), kind_of(dtype)
    if kind == "weekday":
        return value.dt.weekday()
    if kind != "hour":
        return value
    zoned = value if getattr(dtype, "time_zone", None) else value.dt.replace_time_zone("UTC")
    return zoned.dt.convert_time_zone(timezone).dt.hour()


def _count(
    rows: pl.LazyFrame | None, schema: Mapping[str, pl.DataType], bins: Mapping[str, Bins], timezone: str
) -> dict[str, Found]:
    """The rows of each column in its bins."""
    if rows is None or not schema:
        return {}
    # In two steps, so that a value is worked out once and not at every edge.
    values = rows.select(_binned(name, dtype, timezone) for name, dtype in schema.items())
    counted = [pl.struct(_counted(name, bins[name])).alias(name) for name in schema]
    return values.select(counted).collect().row(0, named=True)


def _counted(name: str, bins: Bins) -> list[pl.Expr]:
    value = pl.col(name)
    known = [value.count().alias("known"), (pl.len() - value.count()).alias("unknown")]
    if bins.kind != "number":
        at = [(value == label).sum() for label in bins.labels]
        return [*known, _listed(at).alias("counts")]
    up_to = [(value < edge).sum() for edge in bins.edges[:-1]]
    up_to += [(value <= edge).sum() for edge in bins.edges[-1:]]
    deciles = [(value <= cut).sum() for cut in bins.cuts]
    return [*known, _listed(up_to).alias("up_to"), _listed(deciles).alias("deciles")]


def _listed(sums: list[pl.Expr]) -> pl.Expr:
    return pl.concat_list([each.cast(pl.Int64) for each in sums]) if sums else pl.lit([], pl.List(pl.Int64))


def _side(seen: Found, counted: Found) -> Side:
    return Side(
        rows=seen["rows"],
        missing=seen["missing"],
        infinite=seen.get("infinite", 0),
        distinct=seen.get("distinct"),
        least=plain(seen.get("least")),
        middle=plain(seen.get("middle")),
        most=plain(seen.get("most")),
        counts=_bars(counted),
    )


def _bars(counted: Found) -> list[int]:
    """Rows by bin: those at each label and at none of them, or below, between and above the edges."""
    if "counts" in counted:
        return [*counted["counts"], counted["known"] - sum(counted["counts"])]
    return [after - before for before, after in pairwise([0, *counted["up_to"], counted["known"]])]


def _moved(bins: Bins, then: Found, now: Found) -> float | None:
    """The population stability index; None where there is nothing to tell apart."""
    if bins.kind == "other" or not (then["known"] or now["known"]):
        return None
    return psi(_histogram(bins, then), _histogram(bins, now))


def _histogram(bins: Bins, counted: Found) -> Any:
    """As `monitoring.drift.stability`: the reference's deciles, labels, and a bin for what is missing."""
    if bins.kind == "number":
        cumulated = [0, *counted["deciles"], counted["known"]]
        return np.array([*np.diff(cumulated), counted["unknown"]])
    bars = _bars(counted)
    if bins.kind == "hour":
        # Fewer bins: each costs index by chance alone.
        bars = np.add.reduceat(bars[:24], range(0, 24, 3)).tolist()
    return np.array([*bars, counted["unknown"]])
