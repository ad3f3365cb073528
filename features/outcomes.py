"""The outcomes of events: their labels, and when each could first be known."""

import polars as pl

from core.errors import SpecError
from core.spec import Spec
from features.columns import instant, require


def outcomes(spec: Spec, raw: pl.LazyFrame) -> pl.LazyFrame:
    """The labelled events of `raw`: their key, `event_time`, `known_at` (both UTC) and `label`.

    An event without a label, or whose label nobody can say when it was known, has no outcome.
    Raises SpecError when a column is missing, or when the label is not boolean.
    """
    rules, schema = spec.datasets[spec.events], raw.collect_schema()
    time = rules.event_time or ""
    require([*rules.key, time, spec.outcome.known_at, spec.outcome.label], schema, "the outcome", spec.events)
    if schema[spec.outcome.label] != pl.Boolean:
        dtype = schema[spec.outcome.label]
        raise SpecError(f"outcome.label: column {spec.outcome.label!r} is {dtype}, not boolean")
    return raw.select(
        *rules.key,
        instant(time, schema, "the outcome").alias("event_time"),
        instant(spec.outcome.known_at, schema, "the outcome").alias("known_at"),
        pl.col(spec.outcome.label).alias("label"),
    ).drop_nulls(["known_at", "label"])
