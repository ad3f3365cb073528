"""Give: a share of the traffic is given to a version that may have it, or taken from it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.errors import PerennialError
from core.plain import plain
from models.registry.releases import Part, Release, Role
from models.registry.releasing import release
from models.registry.versions import Version
from monitoring.release.trial import Trial
from stages.champion.promote import decisions
from stages.models.cards import write_card
from stages.score import served
from stages.workspace import Workspace


def in_force(workspace: Workspace) -> Release:
    """The release that is in force; PerennialError while there is none."""
    found = workspace.registry.releases(workspace.project.name)
    if not found:
        raise PerennialError(f"{workspace.project.name} has no champion yet: train one, and let the gate judge")
    return found[-1]


def give(
    workspace: Workspace, version: Version, role: Role, share: float, as_of: datetime, by: str
) -> Release:
    """Have a version answer this share as a canary, or score it as a shadow, from now on.

    A canary takes the place of another, and of a test; all of the traffic makes it the champion. Raises
    PerennialError as `require_fit` does.
    """
    present = in_force(workspace)
    require_fit(workspace, version, role, present)
    if role == "canary" and share == 1:
        return crown(workspace, version, present, "all traffic is given to it", {}, as_of, by)
    others = _beside(present, version) if role == "shadow" else _shadows(present, version)
    return put(workspace, present, [*others, Part(version.id, role, share)], role, as_of, by)


def begin(workspace: Workspace, version: Version, as_of: datetime, by: str) -> Release:
    """Have a version take over by the steps of the spec, beginning with the first."""
    present = in_force(workspace)
    require_fit(workspace, version, "canary", present)
    share = workspace.spec.release.steps[0]
    if share == 1:
        return crown(workspace, version, present, "the spec has one step", {}, as_of, by)
    parts = [*_shadows(present, version), Part(version.id, "canary", share)]
    return put(workspace, present, parts, "canary", as_of, by, advances=True)


def test(
    workspace: Workspace, version: Version, share: float, trial: Trial, as_of: datetime, by: str
) -> Release:
    """Hold a version against the champion by a stated metric, until one of them is surely better."""
    present = in_force(workspace)
    require_fit(workspace, version, "test", present)
    parts = [*_shadows(present, version), Part(version.id, "test", share)]
    return put(workspace, present, parts, "test", as_of, by, test=plain(trial))


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
    """Take its part from a version; what it answered goes to the champion. PerennialError where it has none."""
    present = in_force(workspace)
    parts = [part for part in present.parts if part.role != "champion" and part.version != version]
    if len(parts) == len(present.parts) - 1:
        raise PerennialError(f"{version} has no part beside the champion: in force is {present}")
    return put(workspace, present, parts, action, as_of, by, why=f"{version}: {why}", evidence=evidence)


def crown(
    workspace: Workspace,
    version: Version,
    present: Release,
    why: str,
    evidence: Mapping[str, Any],
    as_of: datetime,
    by: str,
) -> Release:
    """Make a version champion in place of the one that it was released beside."""
    workspace.registry.promote(
        version, over=present.champion, why=why, evidence=evidence, at=as_of, by=by
    )
    for each in (version.id, present.champion):
        write_card(workspace, workspace.registry.version(each))
    return in_force(workspace)


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
    """Put a release in force in place of the `present` one, whose candidate goes on as it did if it stays."""
    if present.candidate in parts:
        advances, test = present.advances, present.test
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


def require_fit(workspace: Workspace, version: Version, role: Role, present: Release) -> None:
    """Raise PerennialError for a version that may have no such part.

    That is the champion; one that takes other features than the spec declares; and one that the gate has not
    let through, unless it is a shadow, by which nobody is answered. IntegrityError where its file is not
    the one that was registered.
    """
    if version.id == present.champion:
        raise PerennialError(f"{version} is champion: name the version that is to have a part beside it")
    if version.metrics["columns"] != list(workspace.spec.features):
        raise PerennialError(f"{version} takes other features than the spec declares: train a version on these")
    if role != "shadow":
        _require_let_through(workspace, version)
    served(workspace, version)


def _require_let_through(workspace: Workspace, version: Version) -> None:
    changes = workspace.registry.transitions(workspace.project.name)
    if any(change.version == version.id and change.after == "champion" for change in changes):
        return
    report = next((each for each in decisions(workspace).values() if each.challenger == version.id), None)
    if report is None:
        raise PerennialError(f"{version} has not met the gate: `make retrain` lets challengers meet it")
    if not report.accepted:
        raise PerennialError(
            f"{version} was refused by the gate ({'; '.join(report.reasons)}): it may be a shadow, ROLE=shadow"
        )


def _beside(present: Release, version: Version) -> list[Part]:
    return [part for part in present.parts if part.role != "champion" and part.version != version.id]


def _shadows(present: Release, version: Version) -> list[Part]:
    return [part for part in _beside(present, version) if part.role == "shadow"]
