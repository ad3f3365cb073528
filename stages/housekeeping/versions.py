"""Versions: challengers that nobody judged are retired, and what is long out of use is archived."""

from collections.abc import Iterator
from datetime import timedelta

from models.registry.versions import Version
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.models.archive import archive
from stages.workspace import Workspace

BY = "housekeeping"
UNJUDGED = timedelta(days=7)


def retire_versions(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Retire challengers that were left without a judgement; archive what is retired and none of the newest.

    What was ever champion is not archived: a rollback may need it. What has a part in the release is in use.
    """
    versions, serving = workspace.registry.versions(workspace.project.name), released(workspace)
    for version in versions:
        if version.id in serving:
            continue
        if version.stage == "challenger" and _is_left(workspace, version, instants):
            found.attempt(f"retiring {version}", _retired, workspace, version, instants)
    if workspace.spec.retention.versions is None:
        return
    for version in _out_of_use(workspace, workspace.spec.retention.versions):
        found.attempt(f"archiving {version}", _archived, workspace, version, instants)


def former_champions(workspace: Workspace) -> set[str]:
    """The versions that are or ever were champion."""
    history = workspace.registry.transitions(workspace.project.name)
    return {change.version for change in history if change.after == "champion"}


def released(workspace: Workspace) -> set[str]:
    """The versions that have a part in the release in force."""
    return {
        each for found in workspace.registry.releases(workspace.project.name)[-1:] for each in found.versions
    }


def _is_left(workspace: Workspace, version: Version, instants: Instants) -> bool:
    """Whether nobody judges it any more: it stands at an instant long past, and its files are as old.

    Where history is lived through, one that was just made stands in the past, too.
    """
    if version.lineage.as_of > instants.as_of - UNJUDGED:
        return False
    stored = workspace.registry.stored()
    made = max((stored[it].stat().st_mtime for it in version.files.values() if it in stored), default=0.0)
    return made <= (instants.now - UNJUDGED).timestamp()


def _retired(workspace: Workspace, version: Version, instants: Instants) -> Iterator[Line]:
    why = f"it was left without a judgement for more than {UNJUDGED.days} days"
    workspace.registry.retire(version, why=why, evidence={}, at=instants.as_of, by=BY)
    yield Line("versions", version.id, f"retired: {why}")


def _out_of_use(workspace: Workspace, newest: int) -> list[Version]:
    versions = workspace.registry.versions(workspace.project.name)
    archived = {each.version for each in workspace.registry.archives(workspace.project.name)}
    needed = former_champions(workspace) | released(workspace) | archived
    return [
        version for version in versions[:-newest] if version.stage == "retired" and version.id not in needed
    ]


def _archived(workspace: Workspace, version: Version, instants: Instants) -> Iterator[Line]:
    why = f"it is retired, never was champion, and {workspace.spec.retention.versions} versions are newer"
    path, _ = archive(workspace, version, why=why, at=instants.as_of, by=BY)
    yield Line("versions", version.id, f"archived in {path.name}")
