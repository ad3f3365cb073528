"""The feature rows of a batch: what its spec declares, as it was known at decision time."""

from collections.abc import Collection, Mapping
from typing import TypeVar

import polars as pl

from core.batches import Batch
from core.errors import SpecError
from core.spec import Input, Lag, LocalTime, Lookup, Retrieved, RowFeature, Spec, TargetRate, Trailing
from core.words import nearest
from features.columns import ASKED, DECISION, finished, instant, of_event, require
from features.declared import check_known, columns_read, in_key, plain
from features.derived import Functions, derive, expressions
from features.lists import beside
from features.lookup import lookup
from features.made import horizon
from features.past import past

__all__ = ["build", "horizon"]

F = TypeVar("F", bound=Input)


def build(
    spec: Spec,
    batch: Batch,
    events: pl.LazyFrame,
    tables: Mapping[str, pl.LazyFrame],
    functions: Functions,
    only: Collection[str] | None = None,
    lists: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The feature rows of `batch`, one for each of its events, in the order of `events`.

    With `lists` (see `features.lists.beside`) one for each of their rows instead, in their order.

    `events` holds the batch's events and those before it that `features.made.look_back` says;
    `tables` are the other datasets, by name, as far as it says. What became known after an event's
    decision time, in either, changes nothing in its row; a dataset without `known_at` is taken to
    have been as it is always. `functions` are the project's, by name (see `features.derived`).

    The columns are the events' key, `event_time`, `decision_time` (microseconds, UTC), then the
    features in the spec's order, Float32 or String, null where missing; with `only`, these
    features alone. A feature that is a column of the key, as it is, stands there alone.
    Raises SpecError when a declaration does not fit the data, IntegrityError when a lookup finds
    two rows where there can be one.
    """
    wanted = _wanted(spec, only)
    derived = expressions(spec, functions, wanted)
    reads = {root for expression in derived.values() for root in expression.meta.root_names()}
    declared = {name: it for name, it in plain(spec).items() if name in wanted or name in reads}
    known = _known(spec, events if lists is None else beside(events, lists), declared, derived)
    rules = spec.datasets[spec.events]
    time = instant(rules.event_time or "", known.schema, "the spec").alias("event_time")
    within = time.is_between(batch.start, batch.end, closed="left").fill_null(False)
    asked = known.select(within if lists is None else ASKED).to_series()
    rows = known.filter(asked)
    order = (rules.event_time or "", *rules.key)
    own = (
        of_event(name, it, rows.schema)
        for name, it in declared.items()
        if isinstance(it, RowFeature | LocalTime | Retrieved)
    )
    values = [
        rows.select(own),
        lookup(rows, tables, spec.datasets, _of(declared, Lookup)),
        past(known, asked, _of(declared, Trailing, TargetRate, Lag), spec.outcome, order),
    ]
    frame = derive(rows.with_columns(column for part in values for column in part.get_columns()), derived)
    own_names = in_key(spec, rows.schema)
    schema = frame.schema
    kinds = {name: it.kind for name, it in spec.features.items() if name in wanted and name not in own_names}
    features = frame.select(finished(name, kind, schema[name]) for name, kind in kinds.items())
    return rows.select(*rules.key, time, DECISION).hstack(features)


def _wanted(spec: Spec, only: Collection[str] | None) -> Collection[str]:
    for name in only or ():
        if name not in spec.features:
            raise SpecError(f"no feature {name!r}{nearest(name, spec.features)}")
    return spec.features if only is None else only


def _known(
    spec: Spec, events: pl.LazyFrame, declared: Mapping[str, Input], derived: Mapping[str, pl.Expr]
) -> pl.DataFrame:
    """The events' columns that features are made from, with `decision_time`."""
    schema, features = events.collect_schema(), plain(spec)
    columns = columns_read(spec, declared, schema)
    for name, expression in derived.items():
        read = [root for root in expression.meta.root_names() if root not in features and root != DECISION]
        require(read, schema, f"feature {name}", spec.events)
        check_known(spec, name, read)
        columns += read
    before = instant(spec.decision.before, schema, "decision.before")
    decision = (before - spec.decision.lead).alias(DECISION)
    columns += [ASKED] if ASKED in schema else []
    return events.select(dict.fromkeys(columns).keys()).with_columns(decision).collect()


def _of(features: Mapping[str, Input], *kinds: type[F]) -> dict[str, F]:
    return {name: feature for name, feature in features.items() if isinstance(feature, kinds)}
