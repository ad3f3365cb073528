"""Adopt: what a policy says is written into the project's spec."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.editing import edited
from core.errors import PerennialError, SpecError
from core.projects import load
from core.settings import Settings
from core.words import nearest
from replay.plan import Plan, folder_of
from reports.pages import write

SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Adopted:
    """The policy that a spec has now, and the spec's text before and after."""

    policy: str
    path: Path
    before: str
    after: str


def adopt(settings: Settings, project: str, policy: str | None = None) -> Adopted:
    """Write a policy of the last replay into the spec: the one named or, by default, the recommended one.

    Comments and all other lines stay. PerennialError when there was no replay, SpecError when it had no
    such policy, or the spec would not hold with it: then it stays as it is.
    """
    plan = Plan.read(folder_of(settings, project))
    name = policy or recommended(settings, project)["policy"]
    if name not in plan.policies:
        raise SpecError(f"no policy {name!r} in the last replay of {project}{nearest(name, plan.policies)}")
    if name in plan.serves:
        raise SpecError(f"{name!r} is no policy: {plan.serves[name]} serves there, and nothing is trained")
    path = settings.projects / project / "project.yaml"
    before = path.read_text(encoding="utf-8")
    after = edited(before, plan.policies[name])
    if after != before:
        write(path, after)
        try:
            load(project, settings)
        except SpecError:
            write(path, before)
            raise
    return Adopted(name, path, before, after)


def recommended(settings: Settings, project: str) -> Mapping[str, Any]:
    """What the last replay recommends; PerennialError where there was none to the end."""
    path = settings.reports / project / "replay" / SUMMARY
    if not path.is_file():
        raise PerennialError(f"{project} was not replayed yet: call make replay PROJECT={project}")
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["recommended"]
    return found
