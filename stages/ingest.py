"""Ingest: one delivery of a dataset becomes accepted rows in `raw` and the others in `quarantine`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from core.batches import Batch
from core.errors import DeliveryError, IntegrityError
from core.ledger import fingerprint
from core.sources import Delivery, File, locate, read
from expectations.quarantine import Divided, divide, duplicates
from expectations.verdict import Verdict
from stages.workspace import WHOLE, Workspace, is_over

if TYPE_CHECKING:
    from expectations.suites import Suite


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a delivery; `reasons` counts the quarantined rows by expectation and column.

    `stopped` says why nothing was accepted, None when the batch went through.
    """

    dataset: str
    batch: str
    received: int
    accepted: int
    quarantined: int
    reasons: dict[str, int]
    alerts: list[str]
    stopped: str | None
    fingerprint: str


def references(workspace: Workspace) -> list[str]:
    """The datasets that are not cut into batches: they are ingested whole, before the events."""
    return [name for name in workspace.spec.datasets if name != workspace.spec.events]


def ingest(workspace: Workspace, dataset: str, batch: Batch | None, as_of: datetime) -> Ingested:
    """Read, validate and divide one delivery, and write both parts to the lake.

    A delivery that was ingested before, by the same rules, is left as it is. Raises DeliveryError
    when it cannot be read; why is on the ledger, and what the lake holds of an earlier one stays.
    """
    if batch is not None:
        is_over(batch, as_of)
    subject = batch.id if batch else WHOLE
    try:
        result = _ingest(workspace, dataset, batch, subject, as_of)
    except DeliveryError as error:
        workspace.ledger.record(f"refuse/{dataset}", subject, "", {"why": str(error)}, as_of)
        raise
    workspace.ledger.forget(f"refuse/{dataset}", subject)
    return result


def _ingest(
    workspace: Workspace, dataset: str, batch: Batch | None, subject: str, as_of: datetime
) -> Ingested:
    # Great Expectations takes seconds to import: only a process that ingests waits for it.
    from expectations.suites import load_suite

    suite = load_suite(workspace.settings.suites / workspace.project.name / f"{dataset}.yaml")
    file = locate(workspace.project, dataset, batch)
    made_from = _made_from(workspace, dataset, subject, suite, file)
    if done := workspace.ledger.finished(f"ingest/{dataset}", subject, made_from):
        return Ingested(**done)
    known = references(workspace) if batch else []
    tables = {name: workspace.lake.scan(f"raw/{name}", [WHOLE]) for name in known}
    delivery = read(workspace.project, dataset, batch, file, tables, workspace.settings.staging)
    verdict, divided = _judge(workspace, suite, delivery, batch, as_of)
    # Off the record while the two tables are written: a kill between them means "not ingested".
    workspace.ledger.forget(f"ingest/{dataset}", subject)
    workspace.lake.write(f"quarantine/{dataset}", subject, divided.quarantined)
    workspace.lake.write(f"raw/{dataset}", subject, divided.accepted)
    result = Ingested(
        dataset=dataset,
        batch=subject,
        received=delivery.delivered.height,
        accepted=divided.accepted.height,
        quarantined=divided.quarantined.height,
        reasons=_reasons(divided.quarantined),
        alerts=[failure.detail for failure in verdict.alerts],
        stopped=divided.stopped,
        fingerprint=made_from,
    )
    _balance(workspace, result)
    workspace.ledger.record(f"ingest/{dataset}", subject, made_from, asdict(result), as_of)
    return result


def _made_from(workspace: Workspace, dataset: str, subject: str, suite: "Suite", file: File) -> str:
    rules = workspace.spec.datasets[dataset]
    others = [workspace.ledger.results(f"ingest/{name}") for name in references(workspace) if name != dataset]
    return fingerprint(
        subject,
        rules.model_dump(mode="json", exclude={"source"}),
        workspace.project.code if rules.prepare else "",
        workspace.spec.batches.model_dump(mode="json"),
        workspace.spec.quarantine.model_dump(mode="json"),
        suite.hash,
        file.digest,
        [result[WHOLE]["fingerprint"] for result in others if WHOLE in result]
        if dataset == workspace.spec.events
        else [],
    )


def _judge(
    workspace: Workspace, suite: "Suite", delivery: Delivery, batch: Batch | None, as_of: datetime
) -> tuple[Verdict, Divided]:
    """Validate the rows that can be read and were not delivered before; divide all of them."""
    from expectations.validate import validate

    repeated = duplicates(delivery.delivered)
    unfit = pl.concat([delivery.failing, repeated])
    rows = delivery.rows.join(unfit, on="row", how="anti")
    verdict = validate(rows, suite, _parameters(workspace, suite, batch))
    divided = divide(
        delivery.rows,
        delivery.delivered,
        pl.concat([unfit, verdict.rows]),
        batch=batch.id if batch else WHOLE,
        as_of=as_of,
        max_share=workspace.spec.quarantine.max_share,
        # Rows that cannot even be read stop the batch by their share, with better words than "no rows".
        critical=verdict.critical if rows.height or delivery.rows.is_empty() else (),
    )
    return verdict, divided


def _parameters(workspace: Workspace, suite: "Suite", batch: Batch | None) -> dict[str, Any]:
    """The values of a suite's parameters: `batch.start`, `batch.end`, or `<dataset>.<column>`."""
    values: dict[str, Any] = {"batch.start": batch.start, "batch.end": batch.end} if batch else {}
    for name in suite.parameters:
        dataset, _, column = name.partition(".")
        if name not in values and dataset in references(workspace):
            values[name] = _values(workspace, dataset, column)
    return {name: values[name] for name in suite.parameters if name in values}


def _values(workspace: Workspace, dataset: str, column: str) -> Sequence[Any]:
    rows = workspace.lake.scan(f"raw/{dataset}", [WHOLE])
    return rows.select(pl.col(column).drop_nulls().unique().sort()).collect().to_series().to_list()


def _reasons(quarantined: pl.DataFrame) -> dict[str, int]:
    """How many rows were set aside for each reason, the commonest first."""
    counts: Counter[str] = Counter()
    for reasons in quarantined["reasons"].to_list():
        counts.update({f"{each['column']}: {each['expectation']}".removeprefix(": ") for each in reasons})
    return dict(counts.most_common())


def _balance(workspace: Workspace, result: Ingested) -> None:
    """Count what the tables now hold of the batch: every received row, once."""
    held = {
        table: workspace.lake.scan(f"{table}/{result.dataset}", [result.batch])
        .select(pl.len())
        .collect()
        .item()
        for table in ("raw", "quarantine")
    }
    if sum(held.values()) != result.received:
        raise IntegrityError(
            f"{result.dataset!r}, batch {result.batch}: {result.received:,} rows were received, but the lake"
            f" holds {held['raw']:,} accepted and {held['quarantine']:,} quarantined"
        )
