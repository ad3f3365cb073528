"""Change: another release is put in force, with whoever answers beside the champion."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.errors import PerennialError
from models.registry.releases import Part, Release
from models.registry.releasing import release
from stages.workspace import Workspace


def in_force(workspace: Workspace) -> Release:
    """The release that is in force; PerennialError while there is none."""
    found = workspace.registry.releases(workspace.project.name)
    if not found:
        raise PerennialError(
            f"{workspace.project.name} has no champion yet: train one, and let the gate judge"
        )
    return found[-1]


def put(
    workspace: Workspace,
    present: Release,
    parts: Sequence[Part],
    action: str,
    as_of: datetime,
    by: str,
    *,
    why: str = "by hand",
    evidence: Mapping[str, Any] | None = None,
    advances: bool = False,
    test: Mapping[str, Any] | None = None,
) -> Release:
    """Put a release in force in place of the `present` one; IntegrityError where another is by now."""
    return release(
        workspace.registry,
        workspace.project.name,
        *parts,
        over=present,
        action=action,
        why=why,
        at=as_of,
        by=by,
        evidence=evidence or {},
        advances=advances,
        test=test,
    )


def beside(
    workspace: Workspace,
    present: Release,
    parts: Sequence[Part],
    action: str,
    as_of: datetime,
    by: str,
    *,
    why: str = "by hand",
    evidence: Mapping[str, Any] | None = None,
) -> Release:
    """The same, where a candidate that stays goes on as it did."""
    stays = present.candidate in parts
    advances, test = (present.advances, present.test) if stays else (False, None)
    facts = (workspace, present, parts, action, as_of, by)
    return put(*facts, why=why, evidence=evidence, advances=advances, test=test)


def end(
    workspace: Workspace,
    version: str,
    as_of: datetime,
    by: str,
    *,
    action: str = "end",
    why: str = "its part is ended",
    evidence: Mapping[str, Any] | None = None,
) -> Release:
    """Take its part from a version; the champion answers instead. PerennialError where it has none."""
    present = in_force(workspace)
    parts = [part for part in present.parts if part.role != "champion" and part.version != version]
    if len(parts) == len(present.parts) - 1:
        raise PerennialError(f"{version} has no part beside the champion: in force is {present}")
    return beside(
        workspace,
        present,
        parts,
        action,
        as_of,
        by,
        why=f"{version}: {why}",
        evidence={"version": version, **(evidence or {})},
    )


def take_over(workspace: Workspace, version: str, as_of: datetime, by: str, why: str) -> Release:
    """Have a version that the gate let through take over by the steps of the spec, beginning with the first.

    Who was on the way before makes way for it and, if it was a challenger, is retired.
    """
    present, steps = in_force(workspace), workspace.spec.release.steps
    parts = [part for part in present.shadows if part.version != version]
    now = put(
        *(workspace, present, [*parts, Part(version, "canary", steps[0])], "canary", as_of, by),
        why=f"{version}: {why}",
        advances=True,
    )
    before = present.candidate
    if before and before.version != version:
        replaced = workspace.registry.version(before.version)
        if replaced.stage == "challenger":
            why = f"made way for {version}"
            workspace.registry.retire(replaced, why=why, evidence={}, at=as_of, by=by)
    return now
