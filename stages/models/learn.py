"""Learn: one family fitted on table versions, as it is for a new version and to make one again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from models.family import Fitted, Parameter, Report
from models.fit import Fit, Given, fit
from models.registry.versions import Lineage, Version
from models.split import Split, split
from stages.features.featurise import labelled
from stages.models.fitted import load, rows_since
from stages.models.lineage import lineage
from stages.workspace import Workspace

Parameters = Mapping[str, Mapping[str, Parameter]]


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a fit is made from beside the spec.

    The instant that it stands at, the versions of the `tables` that it reads, the version that it
    goes on from, or whose fit it keeps, and the fits that it is made of, by family. `parameters` and
    `starts` are those of the family and of its members, by family.
    """

    as_of: datetime
    tables: Mapping[str, int]
    parameters: Parameters
    start: Version | None = None
    members: Mapping[str, Fitted] = field(default_factory=dict)
    starts: Mapping[str, str] = field(default_factory=dict)
    keeps: Version | None = None


@dataclass(frozen=True, slots=True)
class Learnt:
    """A fit, the rows that it was made of and measured on, and its lineage."""

    fit: Fit
    parts: Split
    lineage: Lineage


def learn(workspace: Workspace, family: str, basis: Basis, report: Report) -> Learnt:
    """Fit a family on its basis; the same basis and spec give the same fit.

    A fit that is to go on from a version, but finds no new rows, is from nothing. Raises
    PerennialError when there are too few labelled rows.
    """
    spec = workspace.spec
    parts = split(labelled(workspace, basis.as_of, tables=basis.tables), spec, basis.as_of)
    new = rows_since(parts.train, basis.start, spec) if basis.start else None
    start = basis.start if new is not None else None
    begun = replace(parts, train=new) if new is not None else parts
    known = load(workspace, family, start.files) if start else None
    fitted = fit(family, begun, spec, report, Given(basis.parameters, known, basis.members))
    made = lineage(
        workspace,
        basis.as_of,
        basis.tables,
        trained_until=parts.holdout.times[0],
        learnt_until=parts.train.times[-1],
        parameters=basis.parameters,
        starts=dict(basis.starts) | ({family: start.id} if start else {}),
    )
    return Learnt(fitted, begun, made)
