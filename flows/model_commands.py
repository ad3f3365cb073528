"""The commands about model versions: made again, put away, brought back."""

import argparse
from datetime import UTC, datetime

from core.errors import SpecError
from core.settings import Settings
from flows import show
from flows.backend import backend
from flows.running import alone, console
from models.registry.versions import Version
from stages.models.archive import archive
from stages.models.reproduce import reproduce as make_again
from stages.monitoring.alerts import record, rolled_back, taken_back
from stages.release.change import end, in_force
from stages.release.look import BACK
from stages.workspace import Workspace, open_workspace


def reproduce(settings: Settings, arguments: argparse.Namespace) -> int:
    """Fit a version again from its lineage alone; 1 unless its measures are the same to the last bit."""
    workspace, version = _named(settings, arguments)
    found = make_again(workspace, version)
    show.reproduced(console(), found)
    return 0 if found.same else 1


def retire(settings: Settings, arguments: argparse.Namespace) -> int:
    """Retire a version that is out of use, and archive it."""
    workspace, version = _named(settings, arguments)
    with alone(settings, workspace):
        path, kept = archive(
            workspace, version, why="retired by hand", at=datetime.now(UTC), by="make retire"
        )
    tables = ", ".join(f"{table} {number}" for table, number in kept.tables.items())
    print(f"{version} is retired, archived in {path}\n  sha256 {kept.sha256}\n  trained on {tables}")
    return 0


def rollback(settings: Settings, arguments: argparse.Namespace) -> int:
    """Give all traffic back to the champion or, where it has it, to an earlier champion."""
    workspace, now = open_workspace(arguments.project, settings), datetime.now(UTC)
    with alone(settings, workspace):
        candidate = in_force(workspace).candidate
        if candidate is not None and not arguments.version:
            ended = end(workspace, candidate.version, now, "make rollback", action=BACK, why="by hand")
            record(workspace, taken_back(workspace, candidate.version, ended.champion, "by hand", now))
        else:
            champion = workspace.registry.rollback(
                workspace.project.name,
                to=arguments.version,
                why="rolled back by hand",
                at=now,
                by="make rollback",
            )
            record(workspace, rolled_back(workspace, champion.id, "rolled back by hand", now))
    _send(settings, workspace)
    print(f"release: {in_force(workspace)}")
    return 0


def _send(settings: Settings, workspace: Workspace) -> None:
    """Send what waits, where there is a route: the blocks that it takes are Prefect's."""
    if workspace.spec.alerts:
        with backend(settings) as server:
            from tasks.alerting import deliver_pending

            server.wait()
            deliver_pending(workspace.project.name)


def _named(settings: Settings, arguments: argparse.Namespace) -> tuple[Workspace, Version]:
    if not arguments.version:
        raise SpecError("which version? Say VERSION=shop/7, or another that `make status` lists")
    workspace = open_workspace(str(arguments.version).rpartition("/")[0] or arguments.project, settings)
    return workspace, workspace.registry.version(arguments.version)
