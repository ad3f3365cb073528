"""The world of a question of what if: written down, with its deliveries, before it is lived through."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.changes import policy_faults
from core.errors import SpecError
from core.injections import LateLabels
from core.projects import Project
from core.references import faults
from core.settings import Settings
from core.worlds import World, home_of, world_of
from models.declared import training_faults
from replay.inject import Injected, batches_of, inject, is_delivered
from stages.workspace import Workspace, open_workspace

WHAT_IF = "what if"
# What may be changed of a history without another word about what was delivered, or what became of it.
_OF_POLICIES = {"monitoring", "training", "gate"}


def make_world(
    settings: Settings,
    project: str,
    name: str,
    changes: Mapping[str, Any],
    suites: str | None = None,
    asked: Injected | None = None,
    serves: str | None = None,
    question: str = "",
) -> str:
    """Make the world `name` of a project; what flows call it by. One that was made from the same stays.

    The `question` is all that is asked for in the words of who asks.

    Changes of nothing but policies, and a version that `serves` all the time, are a policy, `what if`,
    beside that of the project, on its own tables.
    Otherwise the world takes in everything itself; where something is injected, it is delivered what the
    project has accepted, but for that. SpecError where the changes, or the injection, cannot be.
    """
    workspace = open_workspace(project, settings)
    if suites is not None and not (Path(suites) / project).is_dir():
        raise SpecError(
            f"{suites} has no folder {project!r}: copy that of expectations/, and change its suites"
        )
    if suites is None and asked is None and changes.keys() <= _OF_POLICIES:
        if serves:
            workspace.registry.version(serves)
        world = World({"replay": {"policies": {WHAT_IF: {**changes, "serves": serves}}}}, own=False)
    elif serves:
        raise SpecError(f"{serves} was made in this history: it cannot serve in one of other data or suites")
    else:
        world = _of_its_own(workspace, settings, name, changes, suites, asked)
    world = replace(world, question=question)
    _, there = world.enter(settings, workspace.project, name)
    _require_whole(there, name)
    if _there(settings, project, name) != world:
        shutil.rmtree(home_of(settings, project, name), ignore_errors=True)
        world.write(settings, project, name)
    return f"{project}@{name}"


def _of_its_own(
    workspace: Workspace,
    settings: Settings,
    name: str,
    changes: Mapping[str, Any],
    suites: str | None,
    asked: Injected | None,
) -> World:
    if asked is None:
        return World(changes, suites)
    home = home_of(settings, workspace.project.name, name)
    whole = {**changes, **inject(workspace, asked, home.with_name("deliveries"))}
    if not isinstance(asked, LateLabels) or is_delivered(workspace, asked):
        return World(whole, suites)
    touched = batches_of(workspace, asked)
    since, until = touched[0].start.isoformat(), touched[-1].end.isoformat()
    return World(whole, suites, asked.by.total_seconds(), since, until)


def _require_whole(there: Project, name: str) -> None:
    """SpecError where the spec of a world names what is not there."""
    spec = there.spec
    wrong = [*faults(spec, there.functions), *training_faults(spec), *policy_faults(spec, training_faults)]
    if wrong:
        told = (f"world {name!r}: {'.'.join(map(str, keys))}: {why}" for keys, why in dict.fromkeys(wrong))
        raise SpecError("\n".join(told))


def _there(settings: Settings, project: str, name: str) -> World | None:
    try:
        return world_of(settings, project, name)
    except SpecError:
        return None
