"""Give: a share of the traffic is given to a version that may have it, or taken from it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.errors import PerennialError
from core.plain import plain
from models.registry.releases import Part, Release, Role
from models.registry.versions import Version
from monitoring.release.trial import Trial
from stages.champion.promote import decisions
from stages.models.cards import write_card
from stages.release.change import beside, in_force, put, take_over
from stages.score import served
from stages.workspace import Workspace


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
    part = Part(version.id, role, share)
    if role == "shadow":
        return beside(workspace, present, [*_others(present, version), part], role, as_of, by)
    return put(workspace, present, [*_shadows(present, version), part], role, as_of, by)


def begin(workspace: Workspace, version: Version, as_of: datetime, by: str) -> Release:
    """Have a version take over by the steps of the spec, beginning with the first; raises as `give` does."""
    present = in_force(workspace)
    require_fit(workspace, version, "canary", present)
    if workspace.spec.release.steps[0] == 1:
        return crown(workspace, version, present, "the spec has one step", {}, as_of, by)
    return take_over(workspace, version.id, as_of, by, "it is released by steps")


def test(
    workspace: Workspace, version: Version, share: float, trial: Trial, as_of: datetime, by: str
) -> Release:
    """Hold a version against the champion by a stated metric, until one of them is surely better."""
    present = in_force(workspace)
    require_fit(workspace, version, "test", present)
    parts = [*_shadows(present, version), Part(version.id, "test", share)]
    return put(workspace, present, parts, "test", as_of, by, test=plain(trial))


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
    workspace.registry.promote(version, over=present.champion, why=why, evidence=evidence, at=as_of, by=by)
    for each in (version.id, present.champion):
        write_card(workspace, workspace.registry.version(each))
    return in_force(workspace)


def require_fit(workspace: Workspace, version: Version, role: Role, present: Release) -> None:
    """Raise PerennialError for a version that may have no such part.

    That is the champion; one that takes other features than the spec declares; and one that the gate has not
    let through, unless it is a shadow, by which nobody is answered. IntegrityError where its file is not
    the one that was registered.
    """
    if version.id == present.champion:
        raise PerennialError(f"{version} is champion: name the version that is to have a part beside it")
    if version.metrics["columns"] != list(workspace.spec.features):
        raise PerennialError(
            f"{version} takes other features than the spec declares: train a version on these"
        )
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
            f"{version} was refused by the gate: {'; '.join(report.reasons)}. It may be a ROLE=shadow"
        )


def _others(present: Release, version: Version) -> list[Part]:
    return [part for part in present.parts if part.role != "champion" and part.version != version.id]


def _shadows(present: Release, version: Version) -> list[Part]:
    return [part for part in _others(present, version) if part.role == "shadow"]
