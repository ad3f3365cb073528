"""Train: one family fitted, tracked, exported and measured; then registered as a challenger."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.ledger import fingerprint
from core.plain import plain
from models.registry.versions import Lineage, Version
from models.tracking import track
from stages.archive import restore
from stages.bundle import bundle
from stages.cards import write_card
from stages.fitted import load, start_of
from stages.learn import Basis, Parameters, learn
from stages.lineage import tables
from stages.told import told
from stages.tracked import record
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


def train(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    members: Sequence[Candidate] = (),
    tuned: Parameters = MappingProxyType({}),
) -> Candidate:
    """Fit one family on what is known at `as_of`; what was registered from the same is not fitted again.

    `members` are the fits that it is made of, `tuned` the parameters by family that were found to be
    better than the spec's. Raises PerennialError when there are too few labelled rows, or no graph of
    the fit may serve.
    """
    spec = workspace.spec
    start = start_of(workspace, family, workspace.champion(as_of))
    made_from = _made_from(workspace, family, as_of, start, members, tuned)
    for version in workspace.registry.versions(workspace.project.name):
        if version.metrics["made_from"] == made_from:
            restore(workspace, version)
            return Candidate(version.family, version.files, version.metrics, version.lineage)
    fits = {each.family: load(workspace, each.family, each.files) for each in members}
    parameters = {family: (spec.training.parameters | dict(tuned)).get(family, {})}
    starts: dict[str, str] = {}
    for each in members:
        parameters |= each.lineage.parameters
        starts |= each.lineage.starts
    basis = Basis(as_of, tables(workspace), parameters, start, fits, starts)
    name, group = f"{family} {as_of:%Y-%m-%d}", f"{as_of:%Y-%m-%d}"
    config = {"family": family, "parameters": parameters, "spec": spec.model_dump(mode="json")}
    with track(spec.name, name, group, config, [family], workspace.settings.home) as run:
        learnt = learn(workspace, family, basis, run.curve)
        with tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="fit-") as folder:
            metrics = plain(bundle(workspace, learnt, made_from, Path(folder)))
            files = workspace.registry.keep(Path(folder))
        if run.folder:
            record(run, told(workspace, learnt, metrics, files))
    return Candidate(family, files, metrics, learnt.lineage)


def register(workspace: Workspace, candidates: Sequence[Candidate]) -> list[Version]:
    """Enter fits that were made side by side, in their order: which was done first must not number them."""
    found = []
    for each in candidates:
        name = workspace.project.name
        version = workspace.registry.enter(name, each.family, each.files, each.metrics, each.lineage)
        write_card(workspace, version)
        found.append(version)
    return found


def _made_from(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    start: Version | None,
    members: Sequence[Candidate],
    tuned: Parameters,
) -> str:
    spec, built = workspace.spec, workspace.ledger.results("features")
    return fingerprint(
        family,
        as_of,
        spec.model_dump(mode="json", include=LEARNT_FROM),
        list(spec.features),
        [built[batch.id]["content"] for batch in workspace.batches(as_of) if batch.id in built],
        start.id if start else None,
        [each.files for each in members],
        tuned,
    )
