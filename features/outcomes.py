"""The outcomes of events: their labels, and when each could first be known."""

import polars as pl

from core.errors import SpecError
from core.framing import LABELS
from core.scalars import Kind
from core.spec import Spec
from features.columns import instant, require


def outcomes(spec: Spec, raw: pl.LazyFrame) -> pl.LazyFrame:
    """The labelled events of `raw`: their key, `event_time`, `known_at` (both UTC) and `label`.

    An event without a label, or whose label nobody can say when it was known, has no outcome.
    Raises SpecError when a column is missing, or when the label is none that the problem has.
    """
    rules, schema = spec.datasets[spec.events], raw.collect_schema()
    time = rules.event_time or ""
    require([*rules.key, time, spec.outcome.known_at, spec.outcome.label], schema, "the outcome", spec.events)
    dtype, wanted = schema[spec.outcome.label], " or ".join(LABELS[spec.problem])
    if not any(_is(dtype, kind) for kind in LABELS[spec.problem]):
        raise SpecError(f"outcome.label: column {spec.outcome.label!r} is {dtype}, not {wanted}")
    return raw.select(
        *rules.key,
        instant(time, schema, "the outcome").alias("event_time"),
        instant(spec.outcome.known_at, schema, "the outcome").alias("known_at"),
        pl.col(spec.outcome.label).alias("label"),
    ).drop_nulls(["known_at", "label"])


def _is(dtype: pl.DataType, kind: Kind) -> bool:
    match kind:
        case "boolean":
            return dtype == pl.Boolean
        case "string":
            return dtype in (pl.String, pl.Categorical, pl.Enum)
        case "integer":
            return dtype.is_integer()
        case _:
            return dtype.is_float()
