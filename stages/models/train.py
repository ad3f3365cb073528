"""Train: one family fitted, tracked, exported and measured; then registered as a challenger."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from core.ledger import fingerprint
from models.family import Report
from models.registry.versions import Version
from stages.models.cards import write_card
from stages.models.fits import LEARNT_FROM, Candidate, contents, fit_once
from stages.models.fitted import load, start_of
from stages.models.learn import Basis, Learnt, Parameters, learn
from stages.models.lineage import learnt_by, tables
from stages.workspace import Workspace

__all__ = ["Candidate", "Unfit", "register", "train"]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a family gave no fit that may serve: an answer like any other, and no failure."""

    reason: str


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

    def learnt(report: Report) -> Learnt:
        loaded = {each.family: load(workspace, each.family, each.files) for each in members}
        return learn(workspace, family, replace(basis, members=loaded), report)

    return fit_once(workspace, family, basis, made_from, learnt)


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
    spec, stateful = workspace.spec, bool(basis.start or basis.starts)
    return fingerprint(
        family,
        basis.as_of,
        learnt_by(spec, basis.as_of, stateful=stateful).model_dump(mode="json", include=LEARNT_FROM),
        list(spec.features),
        contents(workspace, basis.as_of),
        dict(basis.start.files) if basis.start else None,
        [each.files for each in members],
        tuned,
    )
