"""Reproduce: a version made again from its lineage alone, and compared with what was registered."""

from dataclasses import dataclass, replace

from core.plain import plain
from core.spec import Spec
from models.family import family
from models.registry.versions import Lineage, Version
from stages.models.archive import restore
from stages.models.bundle import SPEC
from stages.models.learn import Basis, Learnt, learn
from stages.models.lineage import packages, revision
from stages.models.recalibrate import calibrated_anew
from stages.workspace import Workspace

PARTS = ("validation", "holdout")


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure as it was registered and as it is now; the same to the last bit, or not."""

    name: str
    registered: float | None
    now: float | None

    @property
    def same(self) -> bool:
        """Equal, with no tolerance."""
        return self.registered == self.now


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What a version's measures are when it is made again; `changed` is what else is not as it was."""

    version: str
    measures: tuple[Measure, ...]
    changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Every measure is the same to the last bit."""
        return all(measure.same for measure in self.measures)


def reproduce(workspace: Workspace, version: Version) -> Reproduced:
    """Make a version again: its own spec, the table versions, parameters and seed of its lineage.

    Raises PerennialError when a table no longer has the version that it was trained on, or a file of
    the version is gone.
    """
    restore(workspace, version)
    spec = Spec.model_validate_json(workspace.registry.file(version, SPEC).read_text())
    then = replace(workspace, project=replace(workspace.project, spec=spec))
    made = version.lineage
    if made.keeps:
        root = workspace.registry.version(made.keeps)
        learnt = calibrated_anew(then, root, Basis(made.as_of, made.tables, made.parameters))
    else:
        learnt = _learnt(then, version.family, made)
    found = plain(learnt.fit.measures)
    measures = [
        Measure(f"{part} {name}", value, found[part].get(name))
        for part in PARTS
        for name, value in version.metrics[part].items()
    ]
    return Reproduced(version.id, tuple(measures), tuple(_changed(version.lineage)))


def _learnt(workspace: Workspace, name: str, made: Lineage) -> Learnt:
    """A family fitted as the lineage says, after those that it is made of."""
    takes = family(name).takes(made.parameters.get(name, {}))
    members = {other: _learnt(workspace, other, made).fit.model for other in takes}
    start = restore(workspace, workspace.registry.version(made.starts[name])) if name in made.starts else None
    basis = Basis(made.as_of, made.tables, made.parameters, start, members, made.starts)
    return learn(workspace, name, basis, lambda step, losses: None)


def _changed(made: Lineage) -> list[str]:
    """What differs from the lineage that may make another fit: code and packages."""
    now = packages()
    names = sorted(set(now) | set(made.packages))
    told = [
        f"{name} {made.packages.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in names
        if now.get(name) != made.packages.get(name)
    ]
    code = revision()
    return told + ([f"code {made.code} then, {code} now"] if code != made.code else [])
