"""Fits: each made once, tracked, exported and measured, its files kept until it is registered."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.plain import plain
from models.family import Report
from models.registry.versions import Lineage
from models.tracking import track, untracked
from stages.models.archive import restore
from stages.models.bundle import bundle
from stages.models.learn import Basis, Learnt
from stages.models.told import told
from stages.models.tracked import record
from stages.workspace import Workspace

# The parts of a spec that a fit, its files and its figures hang on.
LEARNT_FROM = {"problem", "objective", "constraints", "batches", "outcome", "training", "gate"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fit whose files are in the store (SHA-256 by name), not a version yet."""

    family: str
    files: Mapping[str, str]
    metrics: Mapping[str, Any]
    lineage: Lineage


def fit_once(
    workspace: Workspace, family: str, basis: Basis, made_from: str, learn: Callable[[Report], Learnt]
) -> Candidate:
    """The fit that was made from exactly this or, where there is none, what `learn` gives (see `made`)."""
    if done := known(workspace, made_from):
        return done
    if workspace.shared is None:
        return made(workspace, family, basis, made_from, learn)
    found = workspace.shared.once(
        "fits", made_from, lambda: plain(made(workspace, family, basis, made_from, learn))
    )
    return _of_this_history(Candidate(**{**found, "lineage": Lineage.read(found["lineage"])}), basis)


def _of_this_history(found: Candidate, basis: Basis) -> Candidate:
    """A shared fit, by what it went on from as this history numbers it."""
    starts = {**basis.starts, **({found.family: basis.start.id} if basis.start else {})}
    kept = {name: starts[name] for name in found.lineage.starts}
    keeps = basis.keeps.id if basis.keeps and found.lineage.keeps else None
    return replace(found, lineage=replace(found.lineage, starts=kept, keeps=keeps))


def known(workspace: Workspace, made_from: str) -> Candidate | None:
    """The fit that was registered from exactly this, if there is one."""
    version = workspace.registry.made_from(workspace.project.name, made_from)
    if version is None:
        return None
    restore(workspace, version)
    return Candidate(version.family, version.files, version.metrics, version.lineage)


def made(
    workspace: Workspace, family: str, basis: Basis, made_from: str, learn: Callable[[Report], Learnt]
) -> Candidate:
    """What `learn` gives when it is told where to report losses, tracked, exported and measured.

    Raises PerennialError when no graph of it may serve.
    """
    spec, group = workspace.spec, f"{basis.as_of:%Y-%m-%d}"
    config = {"family": family, "parameters": basis.parameters, "spec": spec.model_dump(mode="json")}
    home = workspace.settings.home
    tracked = track(spec.name, f"{family} {group}", group, config, [family], home)
    with untracked() if workspace.shared else tracked as run:
        learnt = learn(run.curve)
        with tempfile.TemporaryDirectory(dir=home, prefix="fit-") as folder:
            metrics = plain(bundle(workspace, learnt, made_from, Path(folder))) | {"run": run.id}
            files = workspace.registry.keep(Path(folder))
        if run.folder:
            record(run, told(workspace, learnt, metrics, files))
    return Candidate(family, files, metrics, learnt.lineage)


def contents(workspace: Workspace, as_of: datetime) -> list[str]:
    """What stands for the feature rows and outcomes of each batch that a fit may read."""
    built = workspace.ledger.results("features")
    return [built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built]
