"""Signals: the events by which one flow of a project tells the others that there is something to do.

One is sent only by a run that did something, so they end when the work does; a run that is called by
another flow sends none, for that one goes on by itself. Schedules make up for those that are lost.
"""

from typing import Any

from prefect.events import emit_event

from core.plain import plain
from flows.instants import is_outermost, link, run_id
from monitoring.retraining.requests import Request

INGESTED = "perennial.ingested"
SCORED = "perennial.scored"
JUDGED = "perennial.judged"
REQUESTED = "perennial.retrain.requested"
RETRAINED = "perennial.retrained"
RELEASED = "perennial.released"
ROLLED_BACK = "perennial.release.rolled_back"


def resource(project: str) -> str:
    """The id of a project as Prefect's events have it."""
    return f"perennial.project.{project}"


def signal(event: str, project: str, **payload: Any) -> None:
    """Send an event about a project. An event that cannot be sent is lost, and stops nothing."""
    if is_outermost():
        about = {"prefect.resource.id": resource(project), "prefect.resource.name": project}
        emit_event(event, about, payload=plain({"project": project, "run": run_id(), **payload}))


def request_retraining(request: Request) -> None:
    """Send that a retraining is asked for, with its evidence."""
    evidence = evidence_of(request)
    signal(REQUESTED, request.project, request=request.id, action=request.action, evidence=evidence)


def evidence_of(request: Request) -> dict[str, Any]:
    """What speaks for a retraining, as a run of it is told: of each check that asked, batch and reasons."""
    return {
        "batch": request.batch,
        "as_of": request.as_of.isoformat(),
        "action": request.action,
        "opened_by": request.asks[0].run,
        "link": link(request.asks[0].run),
        "asks": plain(request.asks),
    }
