"""The feature rows of a batch: what its spec declares, as it was known at decision time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

import polars as pl

from core.batches import Batch
from core.spec import Input, LocalTime, Lookup, RowFeature, Spec, Trailing
from features.columns import DECISION, finished, instant, of_event, require
from features.declared import check_known, columns_read, in_key, plain
from features.derived import Functions, derive, expressions
from features.lookup import lookup
from features.trailing import trailing

F = TypeVar("F", Lookup, Trailing)


def horizon(spec: Spec) -> timedelta:
    """How far before a batch's start the rows must begin that its features are made from.

    The longest window or tolerance reaches back from decisions `lead` before the batch, to rows
    whose event time may lie `maturity` before the instant at which they became known.
    """
    features = plain(spec).values()
    windows = [feature.over for feature in features if isinstance(feature, Trailing)]
    tolerances = [feature.within for feature in features if isinstance(feature, Lookup) and feature.within]
    return max([*windows, *tolerances, timedelta()]) + spec.decision.lead + spec.outcome.maturity


def build(
    spec: Spec, batch: Batch, events: pl.LazyFrame, tables: Mapping[str, pl.LazyFrame], functions: Functions
) -> pl.DataFrame:
    """The feature rows of `batch`, one for each of its events, in the order of `events`.

    `events` holds the batch's events and those back to `horizon(spec)` before its start; `tables`
    are the other datasets, by name. What became known after an event's decision time, in either,
    changes nothing in its row; a dataset without `known_at` is taken to have been as it is always.
    `functions` are the project's, by name (see `features.derived`).

    The columns are the events' key, `event_time`, `decision_time` (microseconds, UTC), then the
    features in the spec's order, Float32 or String, null where missing. A feature that is a column
    of the key, as it is, stands there alone.
    Raises SpecError when a declaration does not fit the data, IntegrityError when a lookup finds
    two rows where there can be one.
    """
    declared, derived = plain(spec), expressions(spec, functions)
    known = _known(spec, events, derived)
    rules = spec.datasets[spec.events]
    time = instant(rules.event_time or "", known.schema, "the spec").alias("event_time")
    rows = known.filter(time.is_between(batch.start, batch.end, closed="left"))
    values = [
        rows.select(
            of_event(name, it, rows.schema)
            for name, it in declared.items()
            if isinstance(it, RowFeature | LocalTime)
        ),
        lookup(rows, tables, spec.datasets, _of(declared, Lookup)),
        trailing(rows, known, _of(declared, Trailing), spec.outcome.known_at),
    ]
    frame = derive(rows.with_columns(column for part in values for column in part.get_columns()), derived)
    kinds = {name: it.kind for name, it in spec.features.items() if name not in in_key(spec, rows.schema)}
    features = frame.select(finished(name, kind, frame.schema[name]) for name, kind in kinds.items())
    return rows.select(*rules.key, time, DECISION).hstack(features)


def _known(spec: Spec, events: pl.LazyFrame, derived: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """The events' columns that features are made from, with `decision_time`."""
    schema, declared = events.collect_schema(), plain(spec)
    columns = columns_read(spec, schema)
    for name, expression in derived.items():
        read = [root for root in expression.meta.root_names() if root not in declared and root != DECISION]
        require(read, schema, f"feature {name}", spec.events)
        check_known(spec, name, read)
        columns += read
    before = instant(spec.decision.before, schema, "decision.before")
    decision = (before - spec.decision.lead).alias(DECISION)
    return events.select(dict.fromkeys(columns).keys()).with_columns(decision).collect()


def _of(features: Mapping[str, Input], kind: type[F]) -> dict[str, F]:
    return {name: feature for name, feature in features.items() if isinstance(feature, kind)}
