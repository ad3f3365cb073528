"""How a project stands: champion, release, newest batches, the last decision, the retraining, open alerts."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from models.registry.releases import Release
from monitoring.alerts.alerts import Alert
from monitoring.retraining.requests import Request
from stages.champion.retraining import requests_of
from stages.monitoring.alerts import open_alerts
from stages.workspace import Workspace


class Champion(TypedDict):
    """The champion, and the instant since which it is."""

    version: str
    family: str
    since: str


class Newest(TypedDict):
    """The newest batch that has been through a stage; null before there is one."""

    ingested: str | None
    scored: str | None
    judged: str | None


class Decided(TypedDict):
    """What was decided after the newest batch that is judged, and why; not `final` while outcomes are due."""

    batch: str
    decision: str
    final: bool
    reasons: list[str]


class Asked(TypedDict):
    """The retraining that is open or running, or else the one asked for last.

    `state` is open, running, done, failed or skipped; `reasons` those of who opened it, `why` says why it
    failed or was skipped. It is tried again from `next_attempt` on, null for at once or never. `runs` are
    the flow runs that were at it.
    """

    number: int
    action: str
    batch: str
    state: str
    reasons: list[str]
    attempts: int
    next_attempt: str | None
    outcome: str
    version: str
    why: str
    runs: list[str]


class Open(TypedDict):
    """An alert of what goes on; `unsent` says, by route, why it was not sent there yet."""

    kind: str
    subject: str
    severity: str
    title: str
    reasons: list[str]
    link: str
    since: str
    seen: int
    unsent: dict[str, str]


class Candidate(TypedDict):
    """Who answers beside the champion, since when at this share, and why."""

    version: str
    role: str
    share: float
    since: str
    why: str


class Standing(TypedDict):
    """How a project stands. `release` is the share of the requests that each version answers."""

    champion: Champion | None
    release: dict[str, float]
    candidate: Candidate | None
    shadows: list[str]
    newest: Newest
    decided: Decided | None
    retraining: Asked | None
    alerts: list[Open]


def standing(workspace: Workspace, as_of: datetime) -> Standing:
    """How a project stands at an instant, as the ledger and the registry have it.

    The retraining and the alerts are those of now.
    """
    champion, newest = _champion(workspace, as_of), _newest(workspace, as_of)
    released = workspace.registry.releases(workspace.project.name)[-1:]
    parts = [part for release in released for part in release.parts]
    return {
        "champion": champion,
        "release": {part.version: part.share for part in parts if part.role != "shadow"},
        "candidate": next((_candidate(release) for release in released), None),
        "shadows": [part.version for part in parts if part.role == "shadow"],
        "newest": newest,
        "decided": _decided(workspace, newest["judged"]),
        "retraining": _asked(workspace),
        "alerts": [_open(alert) for alert in open_alerts(workspace)],
    }


def _candidate(release: Release) -> Candidate | None:
    part = release.candidate
    if part is None:
        return None
    since = release.at.isoformat()
    return {
        "version": part.version,
        "role": part.role,
        "share": part.share,
        "since": since,
        "why": release.why,
    }


def _champion(workspace: Workspace, as_of: datetime) -> Champion | None:
    version = workspace.champion(as_of)
    if version is None:
        return None
    crowned = [
        change.at
        for change in workspace.registry.transitions(workspace.project.name)
        if (change.version, change.after) == (version.id, "champion") and change.at <= as_of
    ]
    return {"version": version.id, "family": version.family, "since": crowned[-1].isoformat()}


def _newest(workspace: Workspace, as_of: datetime) -> Newest:
    batches = [batch.id for batch in workspace.batches(as_of)]

    def last(done: Iterable[str]) -> str | None:
        there = set(done)
        return next((batch for batch in reversed(batches) if batch in there), None)

    return {
        "ingested": last(workspace.ledger.results(f"ingest/{workspace.spec.events}")),
        "scored": last(workspace.ledger.results("score")),
        "judged": last(workspace.ledger.results("monitor")),
    }


def _decided(workspace: Workspace, batch: str | None) -> Decided | None:
    judged = workspace.ledger.result("monitor", batch) if batch else None
    if judged is None:
        return None
    return {
        "batch": judged["batch"],
        "decision": judged["decision"],
        "final": judged["final"],
        "reasons": judged["reasons"],
    }


def _asked(workspace: Workspace) -> Asked | None:
    requests = requests_of(workspace).all()
    of_now = [each for each in requests if each.is_unsettled] or requests
    return _facts(of_now[-1]) if of_now else None


def _facts(request: Request) -> Asked:
    again = request.next_attempt_at if request.is_unsettled else None
    return {
        "number": request.id,
        "action": request.action,
        "batch": request.batch,
        "state": request.state,
        "reasons": list(request.asks[0].reasons) if request.asks else [],
        "attempts": request.attempts,
        "next_attempt": again.isoformat() if again else None,
        "outcome": request.outcome,
        "version": request.version,
        "why": request.why,
        "runs": list(request.runs),
    }


def _open(alert: Alert) -> Open:
    unsent = [each for each in alert.deliveries if each.sent_at is None]
    return {
        "kind": alert.kind,
        "subject": alert.subject,
        "severity": alert.severity,
        "title": alert.title,
        "reasons": alert.text.splitlines(),
        "link": alert.link,
        "since": alert.first_seen.isoformat(),
        "seen": alert.count,
        "unsent": {each.route: each.failed or "not tried yet" for each in unsent},
    }
