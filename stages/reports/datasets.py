"""The page of a dataset, built from the ledger, the manifest, the kept verdicts and the lake alone."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from core.errors import SpecError
from core.words import nearest
from reports.data.dataset import Batch, Column, DatasetFacts, Delivery, Distributions, Held, Refusal, page
from stages.data.retained import gone
from stages.reports.distributions import distributions
from stages.reports.failing import failing, set_aside
from stages.workspace import WHOLE, Workspace

Records = Mapping[str, Mapping[str, Any]]

_LARGE = (
    0.2  # of a stability index, by convention: where drift is not watched, the page shows it all the same
)


def dataset_report(workspace: Workspace, dataset: str, reference: str | None = None) -> Path:
    """Write the page of a dataset and `summary.json` beside it; the path of the page.

    Distributions are those of the newest accepted batch against the batch `reference`, by default
    the first accepted one. SpecError when there is no such dataset, or no such accepted batch.
    """
    facts = dataset_facts(workspace, dataset, reference)
    return page(facts, workspace.reports / "datasets" / dataset)


def dataset_facts(workspace: Workspace, dataset: str, reference: str | None = None) -> DatasetFacts:
    """The facts of a dataset, batches in order of time; raises as `dataset_report` does."""
    rules = workspace.spec.datasets[workspace.dataset(dataset)]
    results, refused = (workspace.ledger.results(f"{step}/{dataset}") for step in ("ingest", "refuse"))
    calendar = [batch.id for batch in workspace.spec.batches.calendar().batches()]
    expected = [WHOLE] if rules.event_time is None else calendar
    # Batches that the calendar no longer has come first.
    ingested = {
        batch: results[batch]
        for batch in [*sorted(results.keys() - set(expected)), *expected]
        if batch in results
    }
    return DatasetFacts(
        project=workspace.project.name,
        dataset=dataset,
        title=workspace.spec.title,
        source=described(workspace, dataset),
        key=rules.key,
        event_time=rules.event_time,
        known_at=rules.known_at,
        max_share=workspace.spec.quarantine.max_share,
        batches=_batches(workspace, dataset, expected, ingested, refused),
        failing=failing(workspace, dataset, ingested),
        quarantine=set_aside(workspace, dataset, ingested),
        distributions=_distributions(workspace, dataset, ingested, reference),
        refused=[
            Refusal(name=name, why=record["why"])
            for name, record in refused.items()
            if name not in {*expected, *ingested}
        ],
        deliveries=_deliveries(workspace, dataset),
    )


def described(workspace: Workspace, dataset: str) -> str:
    """Where a dataset comes from, in words: without a URL's user, password and query."""
    text = workspace.secrets.hide(workspace.spec.datasets[dataset].source.described)
    return re.sub(r"(?<=://)[^/\s]*@", "", re.sub(r"(://[^\s?]*)\?\S*", r"\1", text))


def _batches(
    workspace: Workspace, dataset: str, expected: Sequence[str], ingested: Records, refused: Records
) -> list[Batch]:
    accepted, quarantined = (_held(workspace, f"{table}/{dataset}") for table in ("raw", "quarantine"))
    deleted = {*gone(workspace, f"raw/{dataset}"), *gone(workspace, f"quarantine/{dataset}")}
    batches: list[Batch] = []
    gap: list[str] = []
    for batch in dict.fromkeys([*ingested.keys() - set(expected), *expected]):
        if batch not in ingested and batch not in refused:
            gap.append(batch)
            continue
        record = ingested.get(batch, {})
        batches.append(
            Batch(
                batch=batch,
                received=record.get("received", 0),
                accepted=record.get("accepted", 0),
                quarantined=record.get("quarantined", 0),
                stopped=record.get("stopped"),
                refused=refused[batch]["why"] if batch in refused else None,
                alerts=record.get("alerts", []),
                engine=record.get("engine"),
                released=record.get("released", 0),
                gap=gap if batches else [],
            )
        )
        if batch not in deleted:
            held = Held(accepted=accepted.get(batch, 0), quarantined=quarantined.get(batch, 0))
            batches[-1]["held"] = held
        gap = []
    return batches


def _held(workspace: Workspace, table: str) -> dict[str, int]:
    """How many rows the lake holds of each batch."""
    if not workspace.lake.exists(table):
        return {}
    counts = workspace.lake.scan(table).group_by("batch").agg(pl.len()).collect()
    return dict(counts.iter_rows())


def _distributions(
    workspace: Workspace, dataset: str, ingested: Records, reference: str | None
) -> Distributions | None:
    deleted = gone(workspace, f"raw/{dataset}")
    accepted = [batch for batch, record in ingested.items() if record["accepted"] and batch not in deleted]
    if reference is not None and reference not in accepted:
        raise SpecError(f"no accepted batch {reference!r} of {dataset!r}{nearest(reference, accepted)}")
    if not accepted:
        return None
    newest, against = accepted[-1], reference or accepted[0]
    rows = {batch: workspace.lake.scan(f"raw/{dataset}", [batch]) for batch in (newest, against)}
    zone, rules = workspace.spec.batches.timezone, workspace.spec.monitoring
    key = workspace.spec.datasets[dataset].key
    compared = rows[against] if against != newest else None
    return Distributions(
        batch=newest,
        reference=against if compared is not None else None,
        timezone=zone,
        threshold=rules.drift or _LARGE,
        columns=[
            _unless_key(each, key) for each in distributions(rows[newest], compared, zone, rules.min_rows)
        ],
    )


def _unless_key(column: Column, key: tuple[str, ...]) -> Column:
    """A number that each row has to itself is another in every batch: that it moved says nothing."""
    return {**column, "psi": None} if (column["column"],) == key else column


def _deliveries(workspace: Workspace, dataset: str) -> list[Delivery]:
    return [
        Delivery(
            name=each.name,
            rows=each.rows,
            digest=each.digest,
            as_of=each.as_of.isoformat(),
            repeats=each.repeats,
            present=each.present,
            batch=each.batch,
        )
        for each in workspace.manifest.history(dataset)
    ]
