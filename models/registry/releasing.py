"""Changing a release: who answers beside the champion from now on."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from core.errors import IntegrityError, PerennialError
from core.plain import plain
from models.registry import records
from models.registry.registry import Registry
from models.registry.releases import Part, Release, parts_of

_NONE: Mapping[str, Any] = MappingProxyType({})


def release(
    registry: Registry,
    project: str,
    *others: Part,
    over: Release,
    action: str,
    why: str,
    at: datetime,
    by: str,
    evidence: Mapping[str, Any] = _NONE,
    advances: bool = False,
    test: Mapping[str, Any] | None = None,
) -> Release:
    """Have these versions answer beside the champion from now on; without any, it alone does.

    Raises PerennialError for parts that are none of a release, and for a version that is not there;
    IntegrityError when another release than `over`, which was decided about, is in force by now.
    """
    with registry.writing(project) as connection:
        in_force = records.released(connection, project)[-1:]
        if not in_force or in_force[0].number != over.number:
            now = in_force[0] if in_force else "no release"
            raise IntegrityError(f"decided about was {over}, but {now} is in force: look again")
        for part in others:
            _require(connection, project, part.version)
        parts, told = parts_of(over.champion, *others), plain(evidence)
        test = dict(test) if test else None
        entered = Release(parts, action, at, by, why, told, advances=advances, test=test)
        return records.enter_release(connection, project, entered)


def _require(connection: Connection, project: str, version: str) -> None:
    if records.get(connection, version).project != project:
        raise PerennialError(f"{version} is no version of {project}")
