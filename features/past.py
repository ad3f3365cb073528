"""Features of an entity's past: statistics, rates and values of its events known by decision time."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Lag, Outcome, Past, TargetRate, Trailing
from features.columns import alike
from features.facts import Facts, Values
from features.history import Clock, Entities, Layout, by_entity, entities
from features.ranks import distincts, quantiles
from features.statistics import MICROSECONDS
from features.sums import Floats, Whole


def past(
    events: pl.DataFrame,
    asked: pl.Series,
    features: Mapping[str, Past],
    outcome: Outcome,
    order: Sequence[str] = (),
) -> pl.DataFrame:
    """One column for each of `features`, row by row of those `events` that are `asked` for (Boolean).

    `events` holds `decision_time`, the entities' columns, the values, and the instants at which
    these became known: the column that the feature names, or the outcome's. An event is a fact of
    the others' pasts: it counts where `decision - over < known <= decision`, and its place is of no
    account: lags tell facts known at one instant apart by the columns `order`, then by their
    values. A fact that was known by its own decision time is an error in the data, and would show
    an event its own value: it counts nowhere. Nor do null and non-finite values.

    Counts are Int64, lags of their value's dtype; the rest is Float64, to the bit what
    `features.statistics` makes of the window. Where nothing became known, counts and sums are 0 and
    the rest is null; where the entity or the decision time is null, all are null.
    Raises SpecError when a value is of a dtype that has no such statistic, or an instant not in UTC.

    >>> from datetime import UTC, datetime, timedelta
    >>> rate = Trailing.model_validate(
    ...     {"from": "trailing", "by": ["plane"], "value": "late", "statistic": "mean", "over": "1d"})
    >>> outcome = Outcome.model_validate({"label": "late", "known_at": "arrived", "maturity": "1d"})
    >>> noon = datetime(2013, 5, 2, 12, tzinfo=UTC)
    >>> events = pl.DataFrame({
    ...     "plane": ["A", "A", "A", "B"], "late": [True, False, None, None],
    ...     "arrived": [noon - timedelta(days=1), noon, None, None],
    ...     "decision_time": [noon - timedelta(days=2)] * 2 + [noon] * 2})
    >>> past(events, events["late"].is_null(), {"late_rate": rate}, outcome)["late_rate"].to_list()
    [0.0, None]
    """
    windows = _Windows(Facts(events), asked, outcome, order)
    # As many at once as Polars has threads: NumPy lets go of the interpreter while it sorts and searches.
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        groups = pool.map(windows.columns, alike(features, lambda feature: feature.by))
        found = {name: column for group in groups for name, column in group.items()}
    built = pl.DataFrame([found[name] for name in features])
    return built.filter(asked) if features else built


@dataclass(frozen=True)
class _Window:
    """Stretches `[low, high)` of those of a layout's facts that count, by its asked rows."""

    layout: Layout
    low: Whole
    high: Whole
    kept: NDArray[np.bool_] | None = None

    @property
    def rows(self) -> Whole:
        return self.layout.rows

    @cached_property
    def facts(self) -> Whole:
        return self.layout.facts if self.kept is None else self.layout.facts[self.kept]

    @property
    def known(self) -> Whole:
        return self.layout.known if self.kept is None else self.layout.known[self.kept]

    @cached_property
    def count(self) -> Whole:
        return self.high - self.low

    def of(self, usable: NDArray[np.bool_] | None) -> "_Window":
        """The same, of the usable facts alone."""
        if usable is None:
            return self
        kept = usable[self.facts]
        if kept.all():
            return self
        place = np.concatenate([[0], np.cumsum(kept)])
        return _Window(self.layout, place[self.low], place[self.high], kept)


class _Windows:
    """The windows of the asked rows, in layouts of the facts that features share."""

    def __init__(self, facts: Facts, asked: pl.Series, outcome: Outcome, order: Sequence[str]) -> None:
        self._facts, self._outcome, self._order = facts, outcome, tuple(order)
        self._asked = facts.decided(asked)
        self._clock = cache(self._new_clock)
        self._entities = cache(self._new_entities)
        self._layout = cache(self._new_layout)

    def columns(self, features: Mapping[str, Past]) -> dict[str, pl.Series]:
        """The features of every row, by name."""
        return {name: self._column(name, feature) for name, feature in features.items()}

    def _column(self, name: str, feature: Past) -> pl.Series:
        self._facts.check(name, feature, self._outcome.label)
        if isinstance(feature, Lag):
            return self._lag(feature).alias(name)
        if isinstance(feature, TargetRate):
            return self._rate(feature).alias(name)
        window = self._window(feature.by, feature.known_at, feature.value, feature.over)
        found = self._spread(window.rows, _statistic(feature, window, self._facts)).alias(name)
        return found.cast(pl.Int64) if feature.statistic in ("count", "distinct") else found

    def _rate(self, feature: TargetRate) -> pl.Series:
        label, values = self._outcome.label, self._facts.values(self._outcome.label)
        own = self._window(feature.by, None, label, feature.over)
        every = self._window((), None, label, feature.over)
        prior = np.full(self._facts.table.height, np.nan)
        prior[every.rows] = _mean(values, every)
        hits = _sum(values, own) + feature.weight * prior[own.rows]
        return self._spread(own.rows, hits / (own.count + feature.weight))

    def _lag(self, feature: Lag) -> pl.Series:
        ties = (*self._order, feature.value)
        window = self._window(feature.by, feature.known_at, feature.value, feature.within, ties)
        place = window.high - feature.back
        there = place >= window.low
        facts = np.zeros(self._facts.table.height, np.uint32)
        some = np.zeros(self._facts.table.height, bool)
        facts[window.rows[there]], some[window.rows[there]] = window.facts[place[there]], True
        return self._facts.table[feature.value].gather(
            pl.select(pl.when(pl.Series(some)).then(pl.Series(facts))).to_series()
        )

    def _window(
        self,
        by: tuple[str, ...],
        known_at: str | None,
        value: str | None,
        over: timedelta | None,
        ties: tuple[str, ...] = (),
    ) -> _Window:
        layout = self._layout(by, known_at or self._outcome.known_at, ties)
        whole = _Window(layout, *layout.window(over))
        return whole if value is None else whole.of(self._facts.values(value).usable)

    def _new_layout(self, by: tuple[str, ...], known_at: str, ties: tuple[str, ...]) -> Layout:
        return Layout(self._clock(known_at, ties), *self._entities(by))

    def _new_entities(self, by: tuple[str, ...]) -> tuple[Entities, tuple[Whole, Whole]]:
        parts = [self._facts.values(column).numbers for column in by]
        entity = entities(parts, self._facts.table.height)
        return entity, by_entity(entity, self._asked[0])

    def _new_clock(self, known_at: str, ties: tuple[str, ...]) -> Clock:
        return Clock(*self._facts.known(known_at, ties), *self._asked)

    def _spread(self, rows: Whole, values: Floats) -> pl.Series:
        """The values of these rows among all of them; null where there is none, or NaN."""
        found = np.full(self._facts.table.height, np.nan)
        found[rows] = values
        return pl.Series(found, nan_to_null=True)


def _statistic(feature: Trailing, window: _Window, facts: Facts) -> Floats:
    if feature.statistic == "count":
        return window.count.astype(np.float64)
    if feature.statistic == "since_last":
        return _since_last(window)
    values = facts.values(feature.value or "")
    if feature.statistic == "quantile":
        ordered = values.floats[window.facts]
        return quantiles(ordered, window.low, window.high, feature.quantile or 0.0)
    if feature.statistic == "distinct":
        return distincts(values.numbers.numbers[window.facts], window.low, window.high).astype(np.float64)
    return _sum(values, window) if feature.statistic == "sum" else _mean(values, window)


def _sum(values: Values, window: _Window) -> Floats:
    return values.parts.sums(window.facts, window.low, window.high)


def _mean(values: Values, window: _Window) -> Floats:
    with np.errstate(invalid="ignore"):
        return _sum(values, window) / window.count


def _since_last(window: _Window) -> Floats:
    found = np.full(len(window.rows), np.nan)
    some = window.count > 0
    found[some] = (window.layout.decided[some] - window.known[window.high[some] - 1]) / MICROSECONDS
    return found
