"""How a project stands: who is champion, what is released, and how far the batches have come."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

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


class Standing(TypedDict):
    """How a project stands. `release` is the share of the requests that each version answers."""

    champion: Champion | None
    release: dict[str, float]
    newest: Newest


def standing(workspace: Workspace, as_of: datetime) -> Standing:
    """How a project stands at an instant, as the ledger and the registry have it."""
    champion = _champion(workspace, as_of)
    return {
        "champion": champion,
        "release": {champion["version"]: 1.0} if champion else {},
        "newest": _newest(workspace, as_of),
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
