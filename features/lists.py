"""Lists: the rows that a retriever put first, asked about beside the events, and their outcomes."""

import polars as pl

from core.spec import Spec
from features.columns import ASKED


def beside(events: pl.LazyFrame, lists: pl.DataFrame) -> pl.LazyFrame:
    """The events, which are facts of the past, and the rows of `lists`, which alone are asked about.

    A row of a list has the columns of its group, its item, what is about it, and what the retriever
    says of it (see `features.columns.retrieved`); all else is null, of what was chosen as of what was
    not. So it is a fact for no one, and no feature can tell the two apart.
    """
    asked = lists.lazy().with_columns(pl.lit(True).alias(ASKED))
    return pl.concat([events.with_columns(pl.lit(False).alias(ASKED)), asked], how="diagonal")


def with_unchosen(spec: Spec, known: pl.DataFrame, events: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The outcomes of a batch's `events`, and the lowest grade for each of `rows` that is none of them.

    That is known once all outcomes of its list are. `known` is as `features.outcomes.outcomes` has it,
    `events` and `rows` have the key; a list none of whose outcomes is known has none.
    """
    key, group = list(spec.datasets[spec.events].key), list(spec.outcome.group)
    complete = known.group_by(group).agg(pl.col("known_at").max())
    lowest = pl.lit(0).cast(known.schema["label"]).alias("label")
    others = rows.join(events, on=key, how="anti").join(complete, on=group, how="inner")
    return pl.concat([known, others.with_columns(lowest).select(known.columns)])
