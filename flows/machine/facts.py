"""What `make status` tells of this machine: its parts, and the deployments of a project."""

from datetime import UTC, datetime
from typing import TypedDict

from flows.machine.state import PartState, Up


class PartFacts(TypedDict):
    """A part: whether it runs, its process, since when, where it answers, how often it was started again."""

    part: str
    up: bool
    pid: int
    since: str
    address: str
    restarts: int


class LastRun(TypedDict):
    """The newest run of a deployment that is not to come: when, its state, and why unless it is well."""

    at: str | None
    state: str
    why: str | None


class Deployed(TypedDict):
    """A deployment: its schedules as cron expressions (none that is paused), its next run and its last."""

    deployment: str
    schedules: list[str]
    next: str | None
    last: LastRun | None


def part_facts(up: Up | None) -> list[PartFacts]:
    """The supervisor and each part that it has started, as they are now; none when nothing was brought up."""
    return [_part(each) for each in (PartState("supervisor", up.supervisor, ""), *up.parts)] if up else []


def _part(part: PartState) -> PartFacts:
    return {
        "part": part.name,
        "up": part.process.alive,
        "pid": part.process.pid,
        "since": datetime.fromtimestamp(part.process.since, UTC).isoformat(timespec="seconds"),
        "address": part.address,
        "restarts": part.restarts,
    }
