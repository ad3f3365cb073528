"""The tables of the log: what was answered, and the outcomes that were told later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from core.lake import Lake

PREDICTIONS = "served/predictions"
OUTCOMES = "served/outcomes"
_INSTANT = pl.Datetime("us", "UTC")


class Prediction(NamedTuple):
    """One answered row, or one that could not be answered (`error` names the kind of error).

    `role` is what the version was in the `release` of this number: champion, canary, test or shadow. `at` is
    when it was asked, `seconds` the time that the service took. `entity` and the event's `key` are texts.
    `input` is the row as it was sent, `features` what the model was given; either may be a dict, and is kept
    as JSON.
    """

    request_id: str
    version: str
    role: str
    release: int
    at: datetime
    decision_time: datetime
    entity: str
    key: str | None
    input: Mapping[str, Any] | str
    features: Mapping[str, Any] | str
    prediction: float | list[float] | None
    seconds: float
    degraded: bool
    error: str | None


class Outcome(NamedTuple):
    """A label that was told at `at`, by the request's id or the event's key."""

    request_id: str | None
    key: str | None
    label: bool | str | float
    known_at: datetime
    at: datetime


def schemas(label: pl.DataType, *, wide: bool) -> dict[str, pl.Schema]:
    """The schemas of both tables, whose columns are in the order of `Prediction` and `Outcome`.

    `label` is the dtype of an outcome: Boolean, String or Float64. The prediction of a `wide` problem is
    several numbers.
    """
    others: dict[str, pl.DataType] = {
        **dict.fromkeys(("at", "decision_time", "known_at"), _INSTANT),
        "prediction": pl.List(pl.Float64()) if wide else pl.Float64(),
        "release": pl.Int64(),
        "seconds": pl.Float64(),
        "degraded": pl.Boolean(),
        "label": label,
    }
    columns = {PREDICTIONS: Prediction._fields, OUTCOMES: Outcome._fields}
    return {
        table: pl.Schema({name: others.get(name, pl.String()) for name in names})
        for table, names in columns.items()
    }


def served(lake: Lake, table: str, schema: pl.Schema, since: datetime | None = None) -> pl.LazyFrame:
    """The rows of a table of the log that the lake has, each once: those with `at` no earlier than `since`.

    Empty where nothing was logged yet. What journals still hold comes with the next collection.
    """
    if not lake.exists(table):
        return pl.LazyFrame(schema=schema)
    rows = lake.scan(table).select(schema.names())
    return rows if since is None else rows.filter(pl.col("at") >= since)


def by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the `batch` of each: the day of its `at`, in UTC."""
    return rows.with_columns(pl.col("at").dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d").alias("batch"))
