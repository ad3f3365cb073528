"""Served: what the log of predictions has of a release, with the outcomes that are known."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.online.layout import entity_text
from features.online.values import as_held
from serving.answering.record import key_on_record
from serving.log.tables import OUTCOMES, PREDICTIONS
from serving.service import label_type
from stages.workspace import Workspace


def served_under(workspace: Workspace, releases: Sequence[int], as_of: datetime) -> pl.DataFrame | None:
    """The logged rows of releases, by their numbers, with the `label` that was known at `as_of`, or null.

    Labels are those that were told to the service, by request or by key, or were ingested. Rows that the
    champion answered because another version failed are left out: they are on nobody's side. None where
    nothing was asked yet.
    """
    if not workspace.lake.exists(PREDICTIONS):
        return None
    logged = workspace.lake.scan(PREDICTIONS).filter(pl.col("release").is_in(releases))
    rows = logged.drop("input", "features").collect()
    if rows.is_empty():
        return None
    answers = pl.col("role") == "champion"
    failed = rows.filter(pl.col("error").is_not_null(), ~answers)["request_id"]
    rows = rows.filter(~(answers & pl.col("request_id").is_in(failed.implode())))
    labels = [*_told(workspace, as_of), ("key", _ingested(workspace, rows, as_of))]
    named = [f":label {place}" for place in range(len(labels))]
    for name, (by, known) in zip(named, labels, strict=True):
        rows = rows.join(known.rename({"label": name}), on=by, how="left", maintain_order="left")
    return rows.with_columns(label=pl.coalesce(named)).drop(named)


def _told(workspace: Workspace, as_of: datetime) -> list[tuple[str, pl.DataFrame]]:
    """The labels that were told to the service, by request and by key; the last word on each counts."""
    if not workspace.lake.exists(OUTCOMES):
        return []
    known = workspace.lake.scan(OUTCOMES).filter(pl.col("known_at") <= as_of).sort("at").collect()
    return [
        (by, known.drop_nulls(by).unique(by, keep="last").select(by, "label")) for by in ("request_id", "key")
    ]


def _ingested(workspace: Workspace, rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The labels of events whose outcomes were ingested, by key: known after the first of these decisions."""
    spec = workspace.spec
    if not workspace.lake.exists("outcomes"):
        return pl.DataFrame(schema={"key": pl.String, "label": label_type(spec)})
    known, first = pl.col("known_at"), rows["decision_time"].min()
    outcomes = workspace.lake.scan("outcomes").filter(known > first, known <= as_of).collect()
    columns = [as_held(outcomes[name], name).to_list() for name in spec.datasets[spec.events].key]
    keys = [key_on_record(spec, entity_text(values)) for values in zip(*columns, strict=True)]
    labels = outcomes["label"].cast(label_type(spec))
    told = pl.DataFrame({"key": pl.Series(keys, dtype=pl.String), "label": labels})
    return told.unique("key", keep="last")
