"""The lifecycle flow: a project's history, batch by batch, through every other flow."""

import time
from datetime import datetime
from pathlib import Path

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from core.batches import Batch
from core.errors import DeliveryError, UnfitError
from flows.ingest import ingest
from flows.monitor import monitor
from flows.progress import mark, now
from flows.report import report
from flows.retrain import retrain
from flows.score import score
from stages.events import events
from stages.monitor import Judged
from stages.promote import decisions
from stages.workspace import Workspace, open_workspace


@flow(name="lifecycle", flow_run_name="lifecycle {project}")
def lifecycle(project: str, as_of: datetime) -> Path:
    """Ingest all that is over at `as_of`, then live through it; the path of the page about it.

    A batch that stops is left out while the others go on: DeliveryError tells of it at the end. So does
    UnfitError where there is no champion to the end, for nothing fit to serve could be learnt.
    """
    started, unfit = time.monotonic(), None
    workspace = open_workspace(project)
    # This flow's heartbeat speaks for its subflows, each of which would wait a second for its own.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        stopped = _ingest(project, as_of)
        for instant, happens, batch in events(workspace, as_of):
            if happens == "score":
                _score(workspace, batch, instant)
            else:
                unfit = _monitor(workspace, batch, instant)
        page = report(project, as_of, time.monotonic() - started)
    if stopped is not None:
        raise stopped
    if unfit is not None and workspace.champion(as_of) is None:
        raise unfit
    return page


def _ingest(project: str, as_of: datetime) -> DeliveryError | None:
    try:
        ingest(project, as_of)
    except DeliveryError as error:
        return error
    return None


def _score(workspace: Workspace, batch: Batch, as_of: datetime) -> None:
    if workspace.champion(as_of) is None:
        return
    now(f"{batch}: scoring")
    if scored := score(workspace.project.name, batch.id, as_of):
        mark(batch.id, "score", scored.version)


def _monitor(workspace: Workspace, batch: Batch, as_of: datetime) -> UnfitError | None:
    """Judge the batch and train where that is due; why nothing could be learnt, where that is so."""
    judged = None
    if batch.id in workspace.ledger.results("score"):
        now(f"{batch}: joining outcomes, measuring drift")
        judged = monitor(workspace.project.name, batch.id, as_of)
        mark(batch.id, "monitor", judged.decision if judged else "no rows")
    decided = decisions(workspace)
    answer = decided.get(as_of)
    # What the gate has decided stays decided: data that came late count from the next retraining on.
    if answer is None and _is_due(workspace, batch, as_of, judged) and not any(at > as_of for at in decided):
        now(f"{batch}: training challengers")
        try:
            answer = retrain(workspace.project.name, as_of)
        except UnfitError as error:
            mark(batch.id, "retrain", f"no challenger: {error}")
            return error
    if answer is not None:
        mark(batch.id, "retrain", f"{answer.challenger} {'promoted' if answer.accepted else 'refused'}")
    return None


def _is_due(workspace: Workspace, batch: Batch, as_of: datetime, judged: Judged | None) -> bool:
    """Whether to train: when the decision says so or, without a champion, when there are batches enough."""
    if workspace.champion(as_of) is not None:
        return judged is not None and judged.decision.startswith("retrain")
    return len(workspace.batches(batch.end)) >= workspace.spec.training.first_batches
