"""The ingest flow: deliveries into the lake, and accepted rows into features."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect import flow, unmapped
from prefect.futures import PrefectFuture

from core.errors import DeliveryError
from flows.instants import standing
from flows.progress import mark, now
from flows.signals import INGESTED, signal
from stages.data.ingest import Ingested
from stages.data.parameters import compared_with
from stages.stale import forget_removed
from stages.workspace import Workspace, open_workspace
from tasks.fanout import fan_out
from tasks.ingestion import (
    deliver_items,
    featurise_batch,
    ingest_batch,
    ingest_whole,
    look,
    publish_online,
    report_dataset,
    show_ingested,
)
from tasks.news import TOLD, tell_stopped

AT_ONCE = 8  # items that one task takes in: a file a task would cost more than most files do

Stopped = dict[str, str]


@flow(name="ingest", flow_run_name="ingest {project}", task_runner=fan_out(), **TOLD)
def ingest(
    project: str, as_of: datetime | None = None, start: str | None = None, end: str | None = None
) -> list[Ingested]:
    """Ingest the batches from `start` to `end` that are over at `as_of`, and build their features.

    Batches do not wait for each other: DeliveryError names those that stopped, once the others are done.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run.
        start: The first batch, or a day in it; by default the project's first.
        end: The last batch, or a day in it; by default the newest that is over.
    """
    as_of, workspace = standing(as_of), open_workspace(project)
    before = workspace.ledger.results("features")
    batches = [batch.id for batch in workspace.batches(as_of, start, end)]
    now("reading and validating what was delivered")
    forget_removed(workspace)
    found, stopped = _whole(workspace, as_of), Stopped()
    _deliver(workspace, batches, as_of, stopped)
    for dataset in workspace.cut:
        _ingest(workspace, dataset, batches, as_of, found, stopped)
    now("building features as they were known at decision time")
    # A batch that stopped because of its rows has none now, and so has no features any more either.
    ready = _ready(workspace, batches, found)
    built = featurise_batch.map(unmapped(project), ready, unmapped(as_of))
    pages = report_dataset.map(unmapped(project), list(workspace.spec.datasets))
    published = publish_online.submit(project, as_of)
    for batch, future in zip(ready, built, strict=True):
        mark(batch, "features", f"{future.result().rows:,} rows")
    pages.wait()
    published.result()
    show_ingested(project, found)
    if workspace.ledger.results("features") != before:
        signal(INGESTED, project)
    tell_stopped(workspace, _looked_at(workspace, batches) if start or end else None, stopped, as_of)
    if stopped:
        raise DeliveryError("\n".join(f"{what} stopped: {why}" for what, why in stopped.items()))
    return found


def _whole(workspace: Workspace, as_of: datetime) -> list[Ingested]:
    """Ingest the datasets that are not cut into batches: the others are read with their help."""
    whole = ingest_whole.map(unmapped(workspace.called), workspace.whole, unmapped(as_of))
    found, stopped = list[Ingested](), Stopped()
    for dataset, answer in zip(workspace.whole, map(_answer, whole), strict=True):
        if isinstance(answer, Ingested):
            found.append(answer)
        if (why := answer.stopped if isinstance(answer, Ingested) else str(answer)) is not None:
            stopped[f"dataset {dataset}"] = why
    if stopped:
        tell_stopped(workspace, list(stopped), stopped, as_of)
        raise DeliveryError("\n".join(f"{what} stopped: {why}" for what, why in stopped.items()))
    return found


def _deliver(workspace: Workspace, batches: Sequence[str], as_of: datetime, stopped: Stopped) -> None:
    """Enter what is new at the sources in the manifest; what cannot be read stops nothing else."""
    project = workspace.called
    looks = {name: look.submit(project, name, batches) for name in workspace.cut}
    waiting = {}
    for dataset, future in looks.items():
        items = _answer(future)
        if isinstance(items, Exception):
            stopped[f"dataset {dataset}"] = str(items)
            continue
        # Where rows are counted, those of a file begin where those of the file before end.
        chunk = len(items) if workspace.spec.counted(dataset) else AT_ONCE
        chunks = [items[place : place + chunk] for place in range(0, len(items), chunk or 1)]
        waiting[dataset] = deliver_items.map(unmapped(project), unmapped(dataset), chunks, unmapped(as_of))
    for dataset, answers in ((name, map(_answer, futures)) for name, futures in waiting.items()):
        for refused in answers:
            if isinstance(refused, Exception):
                stopped[f"dataset {dataset}"] = str(refused)
                continue
            for item, why in refused:
                stopped[_what(workspace, dataset, item.batch) if item.batch else item.name] = why


def _answer(future: PrefectFuture[Any]) -> Any:
    """The result of a task or, where a delivery or a connection is to blame, that error."""
    future.wait()
    result = future.state.result(raise_on_failure=False)
    if isinstance(result, Exception) and not isinstance(result, DeliveryError | ConnectionError):
        raise result
    return result


def _ingest(
    workspace: Workspace,
    dataset: str,
    batches: Sequence[str],
    as_of: datetime,
    found: list[Ingested],
    stopped: Stopped,
) -> None:
    """Ingest the batches of a dataset; the one that others are compared with, where they are, first."""
    project, first = workspace.called, compared_with(workspace, dataset)
    for some in ([each for each in batches if each == first], [each for each in batches if each != first]):
        futures = ingest_batch.map(unmapped(project), unmapped(dataset), some, unmapped(as_of))
        for batch, future in zip(some, futures, strict=True):
            _take(workspace, dataset, batch, future, found, stopped)


def _take(
    workspace: Workspace,
    dataset: str,
    batch: str,
    future: PrefectFuture[Any],
    found: list[Ingested],
    stopped: Stopped,
) -> None:
    """Wait for a batch; add what was ingested to `found`, or say why it stopped."""
    future.wait()
    result = future.state.result(raise_on_failure=False)
    if isinstance(result, Ingested):
        found.append(result)
        if dataset == workspace.spec.events:
            mark(batch, "ingest", f"{result.accepted:,} of {result.received:,}")
    why = result.stopped if isinstance(result, Ingested) else str(result)
    if why is not None:
        mark(batch, "ingest", "stopped")
        # That nothing was delivered says less than why what was delivered cannot be read.
        stopped.setdefault(_what(workspace, dataset, batch), why)


def _what(workspace: Workspace, dataset: str, batch: str) -> str:
    return f"batch {batch}" if dataset == workspace.spec.events else f"batch {batch} of {dataset}"


def _looked_at(workspace: Workspace, batches: Sequence[str]) -> list[str]:
    """All that an ingestion of these batches may find stopped."""
    of_batches = [_what(workspace, dataset, batch) for dataset in workspace.cut for batch in batches]
    return [*(f"dataset {dataset}" for dataset in workspace.spec.datasets), *of_batches]


def _ready(workspace: Workspace, batches: Sequence[str], found: Sequence[Ingested]) -> list[str]:
    """The batches all of whose datasets were ingested: a feature of half of them would be a guess."""
    ingested = {(each.dataset, each.batch) for each in found}
    return [batch for batch in batches if all((dataset, batch) in ingested for dataset in workspace.cut)]
