"""The retrain flow: what was decided about the champion is done, once a request."""

import time
from datetime import datetime
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger

from flows.instants import run_id, standing
from flows.links import tie
from flows.promote import promote
from flows.roll_back import roll_back
from flows.signals import RETRAINED, signal
from flows.train import train
from models.gate.judge import GateReport
from monitoring.actions import Act
from monitoring.retraining.requests import Request
from stages.champion.attempt import Answer, Ways, attempt, on_record
from stages.champion.retraining import ask_by_hand, claimed, fail, requests_of, settle
from stages.models.train import Unfit
from stages.workspace import Workspace, open_workspace
from tasks.news import TOLD, tell_opened
from tasks.training import recalibrate_champion, register_candidates

__all__ = ["Answer", "retrain", "retrained", "told"]


@flow(name="retrain", flow_run_name="retrain {project}: {action}", **TOLD)
def retrain(
    project: str,
    as_of: datetime | None = None,
    action: Act = "retrain stateless",
    request: int | None = None,
    evidence: dict[str, Any] | None = None,
) -> Answer | None:
    """Answer a request: challengers are made as was decided and meet the champion, or it is rolled back.

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
            tell_opened(project, claim.stands_at, claim.asks[0].reasons, str(claim.id))
            return _answered(workspace, claim, as_of)
    there = requests_of(workspace).request(request)
    get_run_logger().info("request %s of %s is %s: nothing to do", request, project, there.state)
    return on_record(workspace, there.stands_at) if there.state == "done" else None


def retrained(project: str, as_of: datetime, action: Act) -> Answer:
    """Do what was decided, on what is known at `as_of`; asked again, it answers from the record."""
    ways = Ways(
        train=lambda stateful: train(project, as_of, stateful=stateful),
        recalibrate=lambda: _recalibrated(project, as_of),
        roll_back=lambda: roll_back(project, as_of),
        promote=lambda candidates: promote(project, candidates, as_of),
    )
    return attempt(open_workspace(project), action, as_of, ways)


def told(answer: Answer) -> str:
    """What came of an attempt, in words.

    >>> told(GateReport("shop/2", None, True, 900, 12, ()))
    'shop/2 promoted'
    """
    if isinstance(answer, GateReport):
        return f"{answer.challenger} {'promoted' if answer.accepted else 'refused'}"
    return f"rolled back to {answer}"


def _recalibrated(project: str, as_of: datetime) -> list[str] | None:
    """The version of the champion's fit with a new calibration; None where that cannot be."""
    found = recalibrate_champion(project, as_of)
    if isinstance(found, Unfit):
        get_run_logger().warning("fits from nothing instead: %s", found.reason)
        return None
    return register_candidates(project, [found])


def _answered(workspace: Workspace, request: Request, as_of: datetime) -> Answer:
    """Make an attempt, and put on record how it ended; what made it fail is raised."""
    project, started = workspace.project.name, time.monotonic()
    try:
        answer = retrained(project, request.stands_at, request.action)
    except Exception as error:
        _ended(fail(workspace, request, error, as_of, time.monotonic() - started))
        raise
    _ended(settle(workspace, request, answer, time.monotonic() - started))
    return answer


def _ended(request: Request) -> None:
    """Tell the others that an attempt has ended: what waited for it goes on."""
    facts = {"request": request.id, "state": request.state, "outcome": request.outcome}
    signal(RETRAINED, request.project, **facts, version=request.version, why=request.why)
