"""The lifecycle flow: a project's history, batch by batch, through every other flow."""

import time
from datetime import datetime
from pathlib import Path
from typing import Literal

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from core.batches import Batch
from core.errors import DeliveryError, UnfitError
from flows.ingest import ingest
from flows.monitor import monitor
from flows.progress import mark, now
from flows.report import report
from flows.retrain import retrain
from flows.roll_back import roll_back
from flows.score import score
from monitoring.actions import Action, Challenge
from stages.events import events
from stages.monitor import Judged
from stages.promote import decisions
from stages.roll_back import rolled_back
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
    decided, restored = decisions(workspace), rolled_back(workspace)
    answer = decided.get(as_of)
    # What was decided stays decided: data that came late count from the next retraining on.
    settled = answer is not None or any(at > as_of for at in (*decided, *restored))
    due = None if settled else _due(workspace, batch, as_of, judged)
    if due == "roll back":
        now(f"{batch}: rolling back")
        mark(batch.id, "retrain", f"rolled back to {roll_back(workspace.project.name, as_of)}")
    elif due is not None:
        now(f"{batch}: {'calibrating anew' if due == 'recalibrate' else 'training challengers'}")
        try:
            answer = retrain(workspace.project.name, as_of, due)
        except UnfitError as error:
            mark(batch.id, "retrain", f"no challenger: {error}")
            return error
    if answer is not None:
        mark(batch.id, "retrain", f"{answer.challenger} {'promoted' if answer.accepted else 'refused'}")
    return None


def _due(
    workspace: Workspace, batch: Batch, as_of: datetime, judged: Judged | None
) -> Challenge | Literal["roll back"] | None:
    """What was decided or, without a champion, to train when there are batches enough; None for nothing."""
    if workspace.champion(as_of) is not None:
        return _acts(judged.decision) if judged else None
    enough = len(workspace.batches(batch.end)) >= workspace.spec.training.first_batches
    return "retrain stateless" if enough else None


def _acts(decided: Action) -> Challenge | Literal["roll back"] | None:
    match decided:
        case "recalibrate" | "retrain stateful" | "retrain stateless" | "roll back":
            return decided
        case _:
            return None
