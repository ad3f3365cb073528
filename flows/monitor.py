"""The monitor flow, or drift check: what scored batches say of the champion, and whether to retrain."""

import time
from datetime import datetime

from prefect import flow

from core.batches import Batch
from flows.automations import is_automated, is_on_its_way
from flows.instants import run_id, run_name, standing
from flows.links import tell
from flows.report import report
from flows.retrain import retrain
from flows.signals import JUDGED, request_retraining, signal
from monitoring.retraining.requests import Request
from stages.champion.retraining import ask, waiting
from stages.due import due, unripe
from stages.monitoring.monitor import Judged
from stages.workspace import Workspace, open_workspace
from tasks.news import TOLD
from tasks.scoring import monitor_batch


@flow(name="monitor", flow_run_name=run_name, **TOLD)
def monitor(project: str, batch: str | None = None, as_of: datetime | None = None) -> Judged | None:
    """Judge one batch, or all that are due, and open the retraining that is called for.

    Batches are judged in order of time, until one opens a retraining. It is run by an automation where
    one is at work, else by this flow. So is one that waits from before: its event was lost, its process
    killed, or its time to be tried again has come. Batches whose outcomes are not all in yet get a
    provisional judgement, which opens nothing. In the end the pages are written anew. Returns what was
    judged last.

    Args:
        project: The project, a folder of projects/.
        batch: The id of a batch, which is judged, and nothing opened; by default all that are due.
        as_of: The instant to stand at; by default the scheduled start of the run.
    """
    started, as_of = time.monotonic(), standing(as_of)
    if batch is not None:
        return monitor_batch(project, batch, as_of)
    workspace, judged = open_workspace(project), []
    for instant, happens, each in due(workspace, as_of):
        if happens != "monitor":
            break
        judged.append(judge(workspace, each, instant))
    provisional = [monitor_batch(project, each.id, as_of) for each in unripe(workspace, as_of)]
    request = waiting(workspace, as_of)
    if judged:
        signal(JUDGED, project, batches=len(judged))
    try:
        if request is not None:
            _open(request, as_of)
    finally:  # a page is not worth waiting for, nor is a retraining that failed worth none
        if judged or provisional:
            report(project, as_of, time.monotonic() - started)
    return next((each for each in [*provisional[::-1], *judged[::-1]] if each is not None), None)


def judge(workspace: Workspace, batch: Batch, as_of: datetime) -> Judged | None:
    """Judge a batch at the instant at which its outcomes are in, and ask for what that calls for."""
    judged = monitor_batch(workspace.project.name, batch.id, as_of)
    if request := ask(workspace, batch, as_of, judged, run_id()):
        tell(request, run_id())
    return judged


def _open(request: Request, as_of: datetime) -> None:
    """Have a retraining answered that was asked for: by a run of its own, or here."""
    if not is_automated(request.project):
        retrain(request.project, as_of, request.action, request.id)
    elif not is_on_its_way(request.project, request.id):
        request_retraining(request)
