"""Ingest: what was delivered for a batch becomes accepted rows in `raw` and the others in `quarantine`."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from core.batches import Batch
from core.contents import ROW_HASH, Content, content, content_of
from core.errors import DeliveryError, IntegrityError
from core.ledger import fingerprint
from core.plain import plain
from core.sources.manifest import Part
from core.sources.read import Delivery, read
from core.whole import whole
from expectations.quarantine import Divided, divide, duplicates
from expectations.verdict import Verdict
from stages.data.parameters import Values, values_of
from stages.data.retained import is_gone
from stages.data.suites import suite_of, verdict_path
from stages.workspace import WHOLE, Workspace, is_over

if TYPE_CHECKING:
    from expectations.suites import Suite


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of what was delivered for a batch.

    `reasons` counts the quarantined rows by expectation and column; `stopped` says why nothing was
    accepted, None when the batch went through. `content` stands for the accepted rows: what is made
    from them need not be made again while it stays the same. `released` counts the rows that were
    let out of quarantine since the delivery was read.
    """

    dataset: str
    batch: str
    received: int
    accepted: int
    quarantined: int
    reasons: dict[str, int]
    alerts: list[str]
    stopped: str | None
    engine: str
    content: str
    fingerprint: str
    released: int = 0


def ingest(workspace: Workspace, dataset: str, batch: Batch | None, as_of: datetime) -> Ingested:
    """Read, validate and divide what was delivered for a batch, and write both parts to the lake.

    What was ingested before, from the same rows and by the same rules, is left as it is, and so is what
    was ingested of a batch whose accepted rows were deleted when their retention had ended. Raises
    DeliveryError when nothing was delivered or it cannot be read; why is on the ledger, and what the
    lake holds of an earlier delivery stays.
    """
    if batch is not None:
        is_over(batch, as_of)
    subject = batch.id if batch else WHOLE
    try:
        result = _ingest(workspace, dataset, batch, as_of)
    except DeliveryError as error:
        why = {"why": str(error), "by": "ingest"}
        workspace.ledger.record(f"refuse/{dataset}", subject, "", why, as_of)
        raise
    refused = workspace.ledger.result(f"refuse/{dataset}", subject)
    if refused and refused.get("by") == "ingest":
        workspace.ledger.forget(f"refuse/{dataset}", subject)
    return result


def _ingest(workspace: Workspace, dataset: str, batch: Batch | None, as_of: datetime) -> Ingested:
    subject = batch.id if batch else WHOLE
    known = workspace.ledger.result(f"ingest/{dataset}", subject)
    if batch and known and is_gone(workspace, batch, f"raw/{dataset}"):
        return Ingested(**known)
    suite = suite_of(workspace, dataset)
    parts = parts_of(workspace, dataset, batch)
    received = sum((part.content for part in parts), Content())
    values = values_of(workspace, suite, dataset, batch, as_of)
    made_from = made_from_of(workspace, dataset, subject, suite, received, values)
    if done := workspace.ledger.finished(f"ingest/{dataset}", subject, made_from):
        return Ingested(**done)
    tables = workspace.tables() if batch else {}
    delivery = read(workspace.project, dataset, batch, parts, tables, workspace.settings.staging)
    unfit = unfit_rows(workspace, dataset, delivery)
    verdict = judge(suite, delivery, unfit, values)
    divided = _divided(workspace, delivery, unfit, verdict, subject, as_of)
    return keep(workspace, dataset, subject, divided, verdict, received, made_from, as_of)


def unfit_rows(workspace: Workspace, dataset: str, delivery: Delivery) -> pl.DataFrame:
    """What can be said against rows before any suite: unreadable values, and repetitions.

    Rows that only their place tells apart repeat nothing: two that are alike are two events.
    """
    if workspace.spec.counted(dataset) in workspace.spec.datasets[dataset].key:
        return delivery.failing
    return pl.concat([delivery.failing, duplicates(delivery.origin)])


def judge(suite: "Suite", delivery: Delivery, unfit: pl.DataFrame, values: Values) -> Verdict:
    """Validate the rows that can be read and were not delivered before."""
    from expectations.validate import validate

    rows = delivery.rows.join(unfit, on="row", how="anti").drop(ROW_HASH)
    return validate(rows, suite, values.of(rows))


def _divided(
    workspace: Workspace,
    delivery: Delivery,
    unfit: pl.DataFrame,
    verdict: Verdict,
    subject: str,
    as_of: datetime,
) -> Divided:
    some_are_fit = unfit["row"].n_unique() < delivery.rows.height
    return divide(
        delivery.rows,
        delivery.delivered,
        pl.concat([unfit, verdict.rows]),
        origin=delivery.origin,
        batch=subject,
        as_of=as_of,
        max_share=workspace.spec.quarantine.max_share,
        # Rows that cannot even be read stop the batch by their share, with better words than "no rows".
        critical=verdict.critical if some_are_fit or delivery.rows.is_empty() else (),
    )


def keep(
    workspace: Workspace,
    dataset: str,
    subject: str,
    divided: Divided,
    verdict: Verdict,
    received: Content,
    made_from: str,
    as_of: datetime,
    released: int = 0,
) -> Ingested:
    """Write both parts of a batch to the lake, count them there, and put the batch on record."""
    # Off the record while the two tables are written: a kill between them means "not ingested".
    workspace.ledger.forget(f"ingest/{dataset}", subject)
    workspace.lake.write(f"raw/{dataset}", subject, divided.accepted)
    workspace.lake.write(f"quarantine/{dataset}", subject, divided.quarantined)
    _balance(workspace, dataset, subject, received)
    _write_verdict(verdict_path(workspace, dataset, subject), verdict)
    columns = sorted(set(divided.accepted.columns) - {"row", "batch"})
    result = Ingested(
        dataset=dataset,
        batch=subject,
        received=received.rows,
        accepted=divided.accepted.height,
        quarantined=divided.quarantined.height,
        reasons=_reasons(divided.quarantined),
        alerts=[failure.detail for failure in verdict.alerts],
        stopped=divided.stopped,
        engine=verdict.engine,
        content=str(content_of(divided.accepted, columns)),
        fingerprint=made_from,
        released=released,
    )
    workspace.ledger.record(f"ingest/{dataset}", subject, made_from, asdict(result), as_of)
    return result


def parts_of(workspace: Workspace, dataset: str, batch: Batch | None) -> list[Part]:
    """What was delivered for a batch; DeliveryError where its source owes it a delivery of its own."""
    parts = workspace.manifest.parts(dataset, batch.id if batch else WHOLE)
    source = workspace.spec.datasets[dataset].source
    if not parts and (batch is None or source.by_batch):
        where = source.described.replace("{batch}", batch.id if batch else "")
        of = f"batch {batch} of {dataset!r}" if batch else f"dataset {dataset!r}"
        raise DeliveryError(f"{of}: nothing was delivered: {where} is missing or holds no rows for it")
    return parts


def made_from_of(
    workspace: Workspace, dataset: str, subject: str, suite: "Suite", received: Content, values: Values
) -> str:
    rules = workspace.spec.datasets[dataset]
    return fingerprint(
        subject,
        rules.model_dump(mode="json", exclude={"source"}),
        workspace.project.code if rules.prepare or suite.custom else "",
        workspace.spec.quarantine.model_dump(mode="json"),
        suite.hash,
        str(received),
        workspace.contents() if rules.prepare else {},
        plain(values.made_from),
    )


def _reasons(quarantined: pl.DataFrame) -> dict[str, int]:
    """How many rows were set aside for each reason, the commonest first."""
    counts: Counter[str] = Counter()
    for reasons in quarantined["reasons"].to_list():
        counts.update({f"{each['column']}: {each['expectation']}".removeprefix(": ") for each in reasons})
    return dict(counts.most_common())


def _balance(workspace: Workspace, dataset: str, subject: str, received: Content) -> None:
    """Count what the tables now hold of the batch: every received row, once, and as it was delivered."""
    accepted, quarantined = (
        content(workspace.lake.scan(f"{table}/{dataset}", [subject])) for table in ("raw", "quarantine")
    )
    held = accepted + quarantined
    if held != received:
        raise IntegrityError(
            f"{dataset!r}, batch {subject}: {received.rows:,} rows were received ({received}), but the lake"
            f" holds {accepted.rows:,} accepted and {quarantined.rows:,} quarantined ({held})"
        )


def _write_verdict(path: Path, verdict: Verdict) -> None:
    with whole(path) as draft:
        draft.write_text(json.dumps(plain(verdict.document), ensure_ascii=False), encoding="utf-8")
