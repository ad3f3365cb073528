"""The lifecycle flow: a project's history, batch by batch, through every other flow."""

import time
from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from core.batches import Batch
from core.errors import DeliveryError, UnfitError
from flows.ingest import ingest
from flows.instants import run_id, standing
from flows.monitor import monitor
from flows.progress import mark, now
from flows.report import report
from flows.retrain import retrain, told
from flows.score import score
from stages.champion.retraining import ask, requests_of, waiting
from stages.due import due
from stages.workspace import Workspace, open_workspace

_DOING = {"recalibrate": "calibrating anew", "roll back": "rolling back"}


@flow(name="lifecycle", flow_run_name="lifecycle {project}")
def lifecycle(project: str, as_of: datetime | None = None) -> Path:
    """Ingest all that is over at `as_of`, then live through it; the path of the page about it.

    A batch that stops is left out while the others go on: DeliveryError tells of it at the end. So does
    UnfitError where there is no champion to the end, for nothing fit to serve could be learnt.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run.
    """
    started, as_of, workspace = time.monotonic(), standing(as_of), open_workspace(project)
    # This flow's heartbeat speaks for its subflows, each of which would wait a second for its own.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        stopped = _ingest(project, as_of)
        _show_done(workspace)
        _retrain(workspace, as_of)  # where an earlier run was stopped at it
        for instant, happens, batch in due(workspace, as_of):
            if happens == "score":
                _score(workspace, batch, instant)
            else:
                _monitor(workspace, batch, instant)
        page = report(project, as_of, time.monotonic() - started)
    if stopped is not None:
        raise stopped
    _require_champion(workspace, as_of)
    return page


def _ingest(project: str, as_of: datetime) -> DeliveryError | None:
    try:
        ingest(project, as_of)
    except DeliveryError as error:
        return error
    return None


def _show_done(workspace: Workspace) -> None:
    """Show what an earlier run has been through."""
    for batch, scored in workspace.ledger.results("score").items():
        mark(batch, "score", scored["version"])
    for batch, judged in workspace.ledger.results("monitor").items():
        mark(batch, "monitor", judged["decision"])


def _score(workspace: Workspace, batch: Batch, as_of: datetime) -> None:
    now(f"{batch}: scoring")
    if scored := score(workspace.project.name, batch.id, as_of):
        mark(batch.id, "score", scored.version)


def _monitor(workspace: Workspace, batch: Batch, as_of: datetime) -> None:
    """Judge the batch, and retrain where that calls for it."""
    judged = None
    if batch.id in workspace.ledger.results("score"):
        now(f"{batch}: joining outcomes, measuring drift")
        judged = monitor(workspace.project.name, batch.id, as_of)
        mark(batch.id, "monitor", judged.decision if judged else "no rows")
    request = ask(workspace, batch, as_of, judged, run_id())
    if request is not None and request.state == "skipped":
        mark(batch.id, "retrain", f"skipped: {request.why}")
    _retrain(workspace, as_of)


def _retrain(workspace: Workspace, as_of: datetime) -> None:
    """Answer the request that waits, if one does."""
    request = waiting(workspace, as_of)
    if request is None:
        return
    now(f"{request.batch}: {_DOING.get(request.action, 'training challengers')}")
    try:
        answer = retrain(workspace.project.name, as_of, request.action, request.id)
    except UnfitError as error:
        mark(request.batch, "retrain", f"no challenger: {error}")
        return
    if answer is not None:
        mark(request.batch, "retrain", told(answer))


def _require_champion(workspace: Workspace, as_of: datetime) -> None:
    """Raise UnfitError where there is no champion since nothing could be learnt from what there is."""
    requests = requests_of(workspace).all()
    if workspace.champion(as_of) is None and requests and requests[-1].state == "failed":
        raise UnfitError(requests[-1].why.removeprefix("UnfitError: "))
