"""Release of quarantine: rows that were set aside meet the present suite, and those that pass join."""

from datetime import datetime

import polars as pl

from core.batches import Batch
from core.contents import ROW_HASH, Content, content
from core.errors import PerennialError
from core.sources.read import Delivery, from_records, judged
from expectations.quarantine import Divided, divide
from expectations.verdict import Verdict
from stages.data.ingest import Ingested, judge, keep, made_from_of, parts_of, unfit_rows
from stages.data.parameters import values_of
from stages.data.retained import is_gone
from stages.data.suites import suite_of
from stages.workspace import WHOLE, Workspace


def release_quarantine(workspace: Workspace, dataset: str, batch: Batch | None, as_of: datetime) -> Ingested:
    """Judge the set-aside rows of a batch anew, beside those that were accepted, and let in what passes.

    A row joins its batch once, however often this is called or killed; accepted rows are not touched.
    Where a critical expectation fails, or more rows than the spec allows, nothing is let in, and
    `stopped` says why. Raises PerennialError when the batch was not ingested, or deleted since, when its
    columns are no longer those that it was ingested with, or other rows were delivered for it.
    """
    subject = batch.id if batch else WHOLE
    if batch is not None and is_gone(workspace, batch, f"raw/{dataset}", f"quarantine/{dataset}"):
        raise PerennialError(f"batch {subject} of {dataset!r}: its rows were deleted, as `retention` says")
    accepted, aside = _held(workspace, dataset, subject)
    received = sum((part.content for part in parts_of(workspace, dataset, batch)), Content())
    if content(accepted.lazy()) + content(aside.lazy()) != received:
        raise PerennialError(f"batch {subject} of {dataset!r} was delivered anew: ingest it, then release")
    suite = suite_of(workspace, dataset)
    values = values_of(workspace, suite, dataset, batch, as_of)
    tables = workspace.tables() if batch else {}
    columns, begun = list(workspace.spec.datasets[dataset].columns), workspace.manifest.begun(dataset)
    records = from_records(aside, columns, begun)
    delivery = judged(workspace.project, dataset, batch, records, tables)
    accepted = _as_today(dataset, subject, accepted, delivery)
    both = _beside(accepted, delivery)
    unfit = unfit_rows(workspace, dataset, both)
    verdict = judge(suite, both, unfit, values)
    blamed = pl.concat([unfit, verdict.rows]).join(aside, on="row", how="semi")
    share = workspace.spec.quarantine.max_share * both.rows.height / max(aside.height, 1)
    divided = _divided(subject, aside, delivery, blamed, share, verdict, as_of)
    joined = Divided(
        pl.concat([accepted, divided.accepted]).sort("row"),
        divided.quarantined,
        divided.stopped,
    )
    made_from = made_from_of(workspace, dataset, subject, suite, received, values)
    before = workspace.ledger.result(f"ingest/{dataset}", subject) or {}
    # That the present suite would set accepted rows aside, or stop the batch, is for the next ingest.
    if divided.stopped or not verdict.rows.join(accepted, on="row", how="semi").is_empty():
        made_from = before.get("fingerprint", "")
    released = before.get("released", 0) + divided.accepted.height
    return keep(workspace, dataset, subject, joined, verdict, received, made_from, as_of, released)


def _held(workspace: Workspace, dataset: str, subject: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The accepted rows of a batch and those set aside; a row that is in both was let in already."""
    lake = workspace.lake
    if not (lake.exists(f"raw/{dataset}") and lake.exists(f"quarantine/{dataset}")):
        raise PerennialError(
            f"dataset {dataset!r} of {workspace.project.name} was not ingested yet: ingest it first"
        )
    accepted, aside = (
        lake.scan(f"{table}/{dataset}", [subject])
        .drop("batch")
        .with_columns(pl.col("row").cast(pl.UInt32))
        .collect()
        .sort("row")
        for table in ("raw", "quarantine")
    )
    if accepted.is_empty() and aside.is_empty() and workspace.content(dataset, subject) is None:
        raise PerennialError(
            f"batch {subject} of {dataset!r} holds no rows: ingest it before its quarantine is released"
        )
    return accepted, aside.join(accepted, on="row", how="anti")


def _as_today(dataset: str, subject: str, accepted: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """The accepted rows in the columns and dtypes of today, which the lake may hold in wider ones."""
    if set(accepted.columns) != set(delivery.rows.columns):
        raise PerennialError(
            f"batch {subject} of {dataset!r} was ingested with other columns than the spec and its functions"
            " give today: ingest it again, which judges every row anew"
        )
    return accepted.select(delivery.rows.columns).cast(delivery.rows.schema)


def _beside(accepted: pl.DataFrame, delivery: Delivery) -> Delivery:
    """The set-aside rows with the accepted ones: a key is unique among both or not at all."""
    rows = pl.concat([accepted, delivery.rows]).sort("row")
    return Delivery(delivery.delivered, rows, delivery.failing, rows.select("row", ROW_HASH))


def _divided(
    subject: str,
    aside: pl.DataFrame,
    delivery: Delivery,
    blamed: pl.DataFrame,
    share: float,
    verdict: Verdict,
    as_of: datetime,
) -> Divided:
    """The set-aside rows in two: those that nothing speaks against any more, and the others."""
    divided = divide(
        delivery.rows,
        delivery.delivered,
        blamed,
        origin=delivery.origin,
        batch=subject,
        as_of=as_of,
        max_share=share,
        critical=verdict.critical,
    )
    # As it was delivered, not as it was read from what was kept of it.
    kept = divided.quarantined.drop("record").join(aside.select("row", "record"), on="row")
    return Divided(divided.accepted, kept.select(divided.quarantined.columns).sort("row"), divided.stopped)
