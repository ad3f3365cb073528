"""Featurise: the accepted rows of a batch become feature rows and outcomes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import polars as pl

from core.batches import Batch
from core.errors import IntegrityError
from core.ledger import fingerprint
from features.build import build, horizon
from features.outcomes import outcomes
from stages.ingest import references
from stages.workspace import WHOLE, Workspace, is_over


@dataclass(frozen=True, slots=True)
class Featurised:
    """How many feature rows and outcomes a batch has."""

    batch: str
    rows: int
    labelled: int
    fingerprint: str


def featurise(workspace: Workspace, batch: Batch, as_of: datetime) -> Featurised:
    """Build the features and the outcomes of a batch, unless they are there, made from the same rows.

    Raises IntegrityError when the batch was not ingested.
    """
    is_over(batch, as_of)
    spec, lake = workspace.spec, workspace.lake
    read = _look_back(workspace, batch)
    made_from = _made_from(workspace, batch, read)
    if done := workspace.ledger.finished("features", batch.id, made_from):
        return Featurised(**done)
    events = lake.scan(f"raw/{spec.events}", read)
    tables = {name: lake.scan(f"raw/{name}", [WHOLE]) for name in references(workspace)}
    frame = build(spec, batch, events, tables, workspace.project.functions)
    known = outcomes(spec, lake.scan(f"raw/{spec.events}", [batch.id])).collect()
    lake.write("features", batch.id, frame)
    lake.write("outcomes", batch.id, known)
    result = Featurised(batch.id, frame.height, known.height, made_from)
    workspace.ledger.record("features", batch.id, made_from, asdict(result), as_of)
    return result


def labelled(
    workspace: Workspace,
    as_of: datetime,
    since: datetime | None = None,
    tables: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """The feature rows whose label was known at `as_of`, with `label` and `known_at`, in order of event time.

    Of the batches that are over at `as_of`, the events from `since` on; of the `tables` "features"
    and "outcomes" these versions, the newest by default.
    """
    since, tables = since or datetime.min.replace(tzinfo=UTC), tables or {}
    key = list(workspace.spec.datasets[workspace.spec.events].key)
    batches = [batch.id for batch in workspace.batches(as_of) if batch.end > since]
    known = (
        workspace.lake.scan("outcomes", batches, tables.get("outcomes"))
        .filter(pl.col("known_at") <= as_of)
        .select(*key, "known_at", "label")
    )
    rows = workspace.lake.scan("features", batches, tables.get("features")).filter(
        pl.col("event_time") >= since
    )
    return rows.join(known, on=key, how="inner").sort("event_time", *key).collect()


def _look_back(workspace: Workspace, batch: Batch) -> list[str]:
    """The batch and those before it that its features reach back into."""
    since = batch.start - horizon(workspace.spec)
    every = workspace.spec.batches.calendar().batches()
    return [each.id for each in every if each.end > since and each.start < batch.end]


def _made_from(workspace: Workspace, batch: Batch, read: list[str]) -> str:
    spec = workspace.spec
    ingested = workspace.ledger.results(f"ingest/{spec.events}")
    if batch.id not in ingested:
        raise IntegrityError(f"batch {batch} of {spec.name} was not ingested: ingest it before its features")
    return fingerprint(
        batch.id,
        {name: feature.model_dump(mode="json") for name, feature in spec.features.items()},
        spec.decision.model_dump(mode="json"),
        spec.outcome.model_dump(mode="json"),
        workspace.project.code,
        [ingested[each]["fingerprint"] for each in read if each in ingested],
        [workspace.ledger.results(f"ingest/{name}")[WHOLE]["fingerprint"] for name in references(workspace)],
    )
