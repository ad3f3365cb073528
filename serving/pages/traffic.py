"""The traffic of the service so far: one document with what its page shows."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import psutil

from serving.answering.loaded import InForce
from serving.pages.counted import counted_so_far
from serving.pages.past import past_looks
from serving.service import Service, troubles

ELSEWHERE = "so says another worker of the service: its log tells more"


def traffic(service: Service, *, with_past: bool) -> Mapping[str, Any]:
    """The release, what all workers have counted since the service runs, and the last judgement.

    With the past, also what was counted in the last minutes, look by look.
    """
    counted = counted_so_far()
    return {
        "project": service.name,
        "told_at": datetime.now(UTC),
        "running_since": running_since(),
        "stands_at": service.clock(),
        "release": release_told(service.current.in_force),
        **counted,
        "wrong": wrong_told(service, counted["wrong"]),
        "judgement": service.judged.newest,
        "past": past_looks(service.shared) if with_past else [],
    }


def release_told(in_force: InForce | None) -> Mapping[str, Any] | None:
    """The release with the family of each version, the champion first."""
    if in_force is None:
        return None
    release = in_force.release
    parts = {part.version: part for part in release.parts}
    return {
        "number": release.number,
        "told": str(release),
        "action": release.action,
        "since": release.at,
        "by": release.by,
        "why": release.why,
        "advances": release.advances,
        "parts": [
            {
                "version": version,
                "role": parts[version].role,
                "share": parts[version].share,
                "family": in_force.versions[version].version.family,
            }
            for version in release.versions
        ],
    }


def wrong_told(service: Service, anywhere: list[str]) -> Mapping[str, str]:
    """What is wrong in any worker, by what it is wrong with, in the words of this one if it knows of it."""
    own = {what: why for what, why in troubles(service).items() if why}
    return dict.fromkeys(anywhere, ELSEWHERE) | own


@cache
def running_since() -> datetime:
    """When the service was started: the process that keeps its workers."""
    return datetime.fromtimestamp(psutil.Process(os.getppid()).create_time(), UTC)
