"""The ingest flow: deliveries into the lake, and accepted rows into features."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect import flow, unmapped
from prefect.futures import PrefectFuture

from core.errors import DeliveryError
from flows.progress import mark, now
from stages.ingest import Ingested, references
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.ingestion import featurise_batch, ingest_batch, show_ingested


@flow(name="ingest", flow_run_name="ingest {project}", task_runner=fan_out())
def ingest(project: str, as_of: datetime, start: str | None = None, end: str | None = None) -> list[Ingested]:
    """Ingest the batches from `start` to `end` that are over at `as_of`, and build their features.

    Batches do not wait for each other: DeliveryError names those that stopped, once the others are done.
    """
    workspace = open_workspace(project)
    batches = [batch.id for batch in workspace.batches(as_of, start, end)]
    now("reading and validating what was delivered")
    whole = ingest_batch.map(unmapped(project), references(workspace), unmapped(None), unmapped(as_of))
    found = [future.result() for future in whole]
    if broken := [f"dataset {each.dataset} stopped: {each.stopped}" for each in found if each.stopped]:
        raise DeliveryError("\n".join(broken))  # the events are read and validated with their help
    events = ingest_batch.map(unmapped(project), unmapped(workspace.spec.events), batches, unmapped(as_of))
    stopped = _wait(batches, events, found)
    now("building features as they were known at decision time")
    # A batch that stopped because of its rows has none now, and so has no features any more either.
    ready = [each.batch for each in found if each.dataset == workspace.spec.events]
    built = featurise_batch.map(unmapped(project), ready, unmapped(as_of))
    for batch, future in zip(ready, built, strict=True):
        mark(batch, "features", f"{future.result().rows:,} rows")
    show_ingested(project, found)
    if stopped:
        raise DeliveryError("\n".join(f"batch {batch} stopped: {why}" for batch, why in stopped.items()))
    return found


def _wait(
    batches: Sequence[str], events: Sequence[PrefectFuture[Any]], found: list[Ingested]
) -> dict[str, str]:
    """Wait for every batch; add what was ingested to `found`, and say why the others stopped."""
    stopped = {}
    for batch, future in zip(batches, events, strict=True):
        future.wait()
        result = future.state.result(raise_on_failure=False)
        if isinstance(result, Ingested):
            found.append(result)
            mark(batch, "ingest", f"{result.accepted:,} of {result.received:,}")
        why = result.stopped if isinstance(result, Ingested) else str(result)
        if why is not None:
            mark(batch, "ingest", "stopped")
            stopped[batch] = why
    return stopped
