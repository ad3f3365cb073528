"""Standing: what can be done about a version, from the spec, its files, and what was tried before."""

from collections.abc import Sequence
from datetime import datetime

from models.registry.versions import Version
from monitoring.actions import Standing
from stages.models import fitted, recalibrate
from stages.monitoring.earlier import succeeding
from stages.workspace import Workspace


def standing(workspace: Workspace, version: Version, as_of: datetime) -> Standing:
    """What can be done at `as_of` about a version that is judged."""
    tried = _tried(workspace, as_of)
    return Standing(
        serves=version.id in (each.id for each in succeeding(workspace, as_of)[-1:]),
        stateful=workspace.spec.training.stateful is not None,
        no_start=fitted.obstacle(workspace, version) or _went_on(tried, version),
        no_recalibration=recalibrate.obstacle(workspace, version)
        or _calibrated_anew(workspace, tried, version),
    )


def _went_on(tried: Sequence[Version], version: Version) -> str | None:
    """A fit that went on from this version and did not stay in its place."""
    found = [each for each in tried if version.id in each.lineage.starts.values()]
    return f"{found[-1]}, which went on from {version}, was refused" if found else None


def _calibrated_anew(workspace: Workspace, tried: Sequence[Version], version: Version) -> str | None:
    """The same fit with another calibration, which came later and did not stay in its place."""
    root = recalibrate.fit_of(workspace, version).id
    found = [each for each in tried if each.lineage.keeps == root and each.number > version.number]
    return f"{found[-1]}, which is {version} with another calibration, was refused" if found else None


def _tried(workspace: Workspace, as_of: datetime) -> list[Version]:
    """The challengers made before this instant that the gate, or a rollback, has retired."""
    versions = workspace.registry.versions(workspace.project.name)
    return [each for each in versions if each.lineage.as_of < as_of and each.stage == "retired"]
