"""Trailing aggregates: statistics of an entity's past events that were known by decision time.

The facts of an entity are sorted by the instant at which they became known, and counted and summed
up cumulatively. What became known in the window `(decision - over, decision]` is then the
difference of two of these running totals: the newest by the window's end and the newest by its
start. Both are found by as-of joins; the sorting and summing is shared by all windows; and the
differences are exact for integers and booleans.
"""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from core.errors import SpecError
from core.spec import Trailing
from features.columns import DECISION, INSTANT, ROW, alike, instant

_ENTITY, _KNOWN = ":entity", ":known"
_NOW = timedelta(0)


def trailing(
    rows: pl.DataFrame, facts: pl.DataFrame, features: Mapping[str, Trailing], known_at: str
) -> pl.DataFrame:
    """One column for each of `features`, row by row of `rows`.

    `rows` holds `decision_time` and the entities' columns; `facts` these too, the values, and the
    instants at which they became known: the column `known_at` unless the feature names another.
    A fact counts where `decision - over < known <= decision`; its place in `facts` is of no
    account. A fact that was known by its own decision time is an error in the data, and would show
    an event its own value: it counts nowhere. Nor do null and non-finite values.

    Counts are Int64, sums Int64 or Float64, means Float64. Where nothing became known, counts and
    sums are 0 and means null; where the entity or the decision time is null, all are null.
    Raises SpecError when a value is no number, or `known_at` no instant in UTC.

    >>> from datetime import UTC, datetime
    >>> rate = Trailing.model_validate(
    ...     {"from": "trailing", "by": ["plane"], "value": "late", "statistic": "mean", "over": "1d"})
    >>> noon = datetime(2013, 5, 2, 12, tzinfo=UTC)
    >>> facts = pl.DataFrame({
    ...     "plane": ["A", "A", "A"], "late": [True, False, True],
    ...     "arrived": [noon - timedelta(days=1), noon, noon + timedelta(hours=1)],
    ...     "decision_time": [noon - timedelta(days=2)] * 3})
    >>> rows = pl.DataFrame({"plane": ["A", "B", None], "decision_time": [noon] * 3})
    >>> trailing(rows, facts, {"late_rate": rate}, "arrived")["late_rate"].to_list()
    [0.0, None, None]
    """
    built = pl.DataFrame({ROW: pl.int_range(rows.height, dtype=pl.UInt32, eager=True)})
    for group in alike(features, lambda feature: (feature.by, feature.known_at)):
        found = _of_entities(rows, facts, group, known_at)
        built = built.join(found, on=ROW, how="left", maintain_order="left")
    return built.select(list(features))


def _of_entities(
    rows: pl.DataFrame, facts: pl.DataFrame, features: Mapping[str, Trailing], known_at: str
) -> pl.DataFrame:
    """`:row` and the features, which share their entities and instants, of the rows with an entity."""
    first = next(iter(features.values()))
    by, known = list(first.by), instant(first.known_at or known_at, facts.schema, "trailing features")
    # Null keys equal none in a join: a row without an entity has no past and is part of no other's.
    entities = rows.select(by).unique().with_row_index(_ENTITY)
    asked = rows.with_row_index(ROW).join(entities, on=by).select(ROW, _ENTITY, DECISION)
    asked = asked.drop_nulls(DECISION).sort(DECISION)
    windows = {_NOW, *(feature.over for feature in features.values())}
    values = sorted({feature.value for feature in features.values()})
    reached = known > pl.lit(asked[DECISION].min(), INSTANT) - max(windows)
    past = facts.filter(reached & (known > pl.col(DECISION))).join(entities, on=by)
    past = past.select(_ENTITY, known.alias(_KNOWN), *(_value(name, past) for name in values))
    totals = _running_totals(past, values)
    newest = {ago: _as_of(asked, totals, ago) for ago in windows}
    return asked.select(ROW, *(_statistic(feature, newest).alias(name) for name, feature in features.items()))


def _value(column: str, facts: pl.DataFrame) -> pl.Expr:
    dtype, value = facts.schema[column], pl.col(column)
    if dtype.is_integer() or dtype == pl.Boolean:
        return value.cast(pl.Int64).alias(f"sum:{column}")
    if not dtype.is_numeric():
        raise SpecError(f"a trailing feature of {column!r}: the column is {dtype}, not a number or boolean")
    value = value.cast(pl.Float64)
    return pl.when(value.is_finite()).then(value).alias(f"sum:{column}")


def _running_totals(past: pl.DataFrame, values: list[str]) -> pl.DataFrame:
    """By entity, in order of `:known`: the sum of the values known by then, and their number."""
    # Floats add up differently in another order, so that facts known at once need one, too.
    floats = [name for name, dtype in past.schema.items() if dtype == pl.Float64]
    sums = [pl.col(f"sum:{name}").fill_null(0) for name in values]
    counts = [pl.col(f"sum:{name}").is_not_null().cast(pl.Int64).alias(f"count:{name}") for name in values]
    running = [each.cum_sum().over(_ENTITY) for each in [*sums, *counts]]
    return past.sort(_ENTITY, _KNOWN, *floats).select(_ENTITY, _KNOWN, *running)


def _as_of(asked: pl.DataFrame, totals: pl.DataFrame, ago: timedelta) -> pl.DataFrame:
    """The totals of each asked row's entity as of `ago` before its decision; 0 before its first fact."""
    when = asked.select(_ENTITY, pl.col(DECISION) - ago)
    # Of facts known at one instant the as-of join takes the last, which is the total of them all.
    # Polars cannot check the order within entities and would warn: both sides are sorted above.
    found = when.join_asof(totals, left_on=DECISION, right_on=_KNOWN, by=_ENTITY, check_sortedness=False)
    return found.drop(_ENTITY, DECISION, _KNOWN).fill_null(0)


def _statistic(feature: Trailing, newest: Mapping[timedelta, pl.DataFrame]) -> pl.Series:
    end, start = newest[_NOW], newest[feature.over]
    count = end[f"count:{feature.value}"] - start[f"count:{feature.value}"]
    if feature.statistic == "count":
        return count
    total = end[f"sum:{feature.value}"] - start[f"sum:{feature.value}"]
    return total if feature.statistic == "sum" else (total / count).set(count == 0, None)
