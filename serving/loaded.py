"""The versions of a release, loaded: each file verified by its hash, and what tells an answer's reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from core.errors import IntegrityError
from core.spec import Spec
from models.card.usual import REFERENCE, usual_values
from models.registry.files import Files
from models.registry.releases import Part, Release
from models.registry.versions import Version
from models.runtime.model import Model


@dataclass(frozen=True, slots=True)
class Servable:
    """What must be known of a version to serve it: the file that `serves`, the features that it takes."""

    id: str
    family: str
    files: Mapping[str, str]
    serves: str
    columns: tuple[str, ...]

    @classmethod
    def of(cls, version: Version) -> Self:
        """As the registry has it."""
        facts = version.metrics
        name = f"{facts['serves']}.onnx"
        return cls(version.id, version.family, dict(version.files), name, tuple(facts["columns"]))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version at work: its graph, and each feature's usual value in training as a column of that name."""

    version: Servable
    model: Model
    usual: Mapping[str, pl.Expr] = field(repr=False)


@dataclass(frozen=True, slots=True)
class InForce:
    """The release in force, with its versions loaded."""

    release: Release
    versions: Mapping[str, Loaded]

    @property
    def champion(self) -> Part:
        """The champion's part."""
        return next(part for part in self.release.parts if part.role == "champion")

    def of(self, part: Part) -> Loaded:
        """The version that has a part."""
        return self.versions[part.version]


def load(
    files: Files, spec: Spec, release: Release, versions: Mapping[str, Servable], before: InForce | None
) -> InForce:
    """Load the versions of a release, but for those that are at work `before`.

    Raises IntegrityError when a file is missing or is not the one that was registered, or when a version
    takes other features than the spec declares; PerennialError when a file is no model.
    """
    there = before.versions if before else {}
    named = {each: there.get(each) or _loaded(files, spec, versions[each]) for each in release.versions}
    return InForce(release, named)


def _loaded(files: Files, spec: Spec, version: Servable) -> Loaded:
    if version.columns != tuple(spec.features):
        raise IntegrityError(
            f"{version.id} takes the features {', '.join(version.columns)}, and the spec declares "
            f"{', '.join(spec.features)}: serve a version that was trained on these"
        )
    serves, sample = (
        files.path(version.files[name], f"{version.id} {name}") for name in (version.serves, REFERENCE)
    )
    model = Model.open(serves, version.files[version.serves])
    return Loaded(version, model, usual_values(pl.read_parquet(sample), model.columns))
