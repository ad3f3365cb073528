"""Train: one family fitted, tracked, exported and measured; then registered as a challenger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from core.ledger import fingerprint
from models.registry.versions import Version
from stages.cards import write_card
from stages.fits import LEARNT_FROM, Candidate, contents, known, made
from stages.fitted import load, start_of
from stages.learn import Basis, Parameters, learn
from stages.lineage import tables
from stages.workspace import Workspace

__all__ = ["Candidate", "register", "train"]


def train(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    members: Sequence[Candidate] = (),
    tuned: Parameters = MappingProxyType({}),
    *,
    stateful: bool = True,
) -> Candidate:
    """Fit one family on what is known at `as_of`; what was registered from the same is not fitted again.

    `members` are the fits that it is made of, `tuned` the parameters by family that were found to be
    better than the spec's. It goes on from the champion where it is to be `stateful` and can be.
    Raises PerennialError when there are too few labelled rows, or no graph of the fit may serve.
    """
    basis = _basis(workspace, family, as_of, members, tuned, stateful=stateful)
    made_from = _made_from(workspace, family, basis, members, tuned)
    if done := known(workspace, made_from):
        return done
    loaded = {each.family: load(workspace, each.family, each.files) for each in members}
    whole = replace(basis, members=loaded)
    return made(workspace, family, whole, made_from, lambda report: learn(workspace, family, whole, report))


def register(workspace: Workspace, candidates: Sequence[Candidate]) -> list[Version]:
    """Enter fits that were made side by side, in their order: which was done first must not number them."""
    found = []
    for each in candidates:
        name = workspace.project.name
        version = workspace.registry.enter(name, each.family, each.files, each.metrics, each.lineage)
        write_card(workspace, version)
        found.append(version)
    return found


def _basis(
    workspace: Workspace,
    family: str,
    as_of: datetime,
    members: Sequence[Candidate],
    tuned: Parameters,
    *,
    stateful: bool,
) -> Basis:
    """All that the fit is made from, but for the members themselves."""
    start = start_of(workspace, family, workspace.champion(as_of)) if stateful else None
    parameters = {family: (workspace.spec.training.parameters | dict(tuned)).get(family, {})}
    starts: dict[str, str] = {}
    for each in members:
        parameters |= each.lineage.parameters
        starts |= each.lineage.starts
    return Basis(as_of, tables(workspace), parameters, start, {}, starts)


def _made_from(
    workspace: Workspace, family: str, basis: Basis, members: Sequence[Candidate], tuned: Parameters
) -> str:
    spec = workspace.spec
    return fingerprint(
        family,
        basis.as_of,
        spec.model_dump(mode="json", include=LEARNT_FROM),
        list(spec.features),
        contents(workspace, basis.as_of),
        basis.start.id if basis.start else None,
        [each.files for each in members],
        tuned,
    )
