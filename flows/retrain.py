"""The retrain flow: new challengers, and the gate between them and the champion, once a request."""

import time
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from flows.instants import run_id, standing
from flows.links import tie
from flows.promote import promote
from flows.signals import RETRAINED, signal
from flows.train import train
from models.gate.judge import GateReport
from monitoring.policy import Action
from monitoring.requests import Request
from stages.promote import decisions
from stages.retraining import ask_by_hand, claimed, fail, requests_of, settle
from stages.workspace import Workspace, open_workspace


@flow(name="retrain", flow_run_name="retrain {project}")
def retrain(
    project: str,
    as_of: datetime | None = None,
    action: Action = "retrain stateless",
    request: int | None = None,
    evidence: dict[str, Any] | None = None,
) -> GateReport | None:
    """Answer a request for a retraining: train, and let the best challenger meet the champion.

    Of a project one request is answered at a time: where another run is at it, or its time to be tried
    again has not come, nothing is done and None returned; one that was answered is from the record. A
    run that fails leaves the champion serving; one that is cancelled or killed leaves the request to the
    next drift check.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run. A request has its own.
        action: What to do, where nobody has asked yet.
        request: The number of the request; without it one is made, by hand, and limits do not count.
        evidence: What spoke for it, for who looks at the run.
    """
    as_of, workspace = standing(as_of), open_workspace(project)
    if at_once := request is None:
        request = ask_by_hand(workspace, as_of, action, run_id()).id
    with claimed(workspace, request, as_of, run_id(), at_once=at_once) as claim:
        if claim is not None:
            tie(claim, run_id())
            return _answered(workspace, claim, as_of)
    there = requests_of(workspace).request(request)
    get_run_logger().info("request %s of %s is %s: nothing to do", request, project, there.state)
    return decisions(workspace).get(there.stands_at) if there.state == "done" else None


def retrained(project: str, as_of: datetime, action: Action) -> GateReport:
    """Do what was decided, on what is known at `as_of`; the gate's report."""
    return promote(project, train(project, as_of), as_of)


def _answered(workspace: Workspace, request: Request, as_of: datetime) -> GateReport:
    """Make an attempt, and put on record how it ended; what made it fail is raised."""
    project, started = workspace.project.name, time.monotonic()
    try:
        report = retrained(project, request.stands_at, request.action)
    except Exception as error:
        _ended(fail(workspace, request, error, as_of, time.monotonic() - started))
        raise
    _ended(settle(workspace, request, report, time.monotonic() - started))
    return report


def _ended(request: Request) -> None:
    """Tell the others that an attempt has ended: what waited for it goes on."""
    facts = {"request": request.id, "state": request.state, "outcome": request.outcome}
    signal(RETRAINED, request.project, **facts, version=request.version, why=request.why)
