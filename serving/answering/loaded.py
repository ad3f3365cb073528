"""The versions of a release, loaded: each file verified by its hash, and what tells an answer's reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from core.errors import IntegrityError
from core.spec import Spec
from models.card.usual import REFERENCE, usual_values
from models.registry.files import Files
from models.registry.releases import Part, Release
from models.registry.versions import Version
from models.runtime.model import Model

Said = float | list[float]
"""An answer: a number, or one for each class or quantile."""
SHARES = tuple(step / 20 for step in range(1, 21))


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
    """A version at work: its graph, each feature's usual value in training as a column of that name, and the
    `edges` of the bins in which its answers are counted.
    """

    version: Servable
    model: Model
    usual: Mapping[str, pl.Expr] = field(repr=False)
    edges: tuple[float, ...]


@dataclass(frozen=True)
class InForce:
    """The release in force, with its versions loaded."""

    release: Release
    versions: Mapping[str, Loaded]
    spec: Spec = field(repr=False)

    @cached_property
    def champion(self) -> Part:
        """The champion's part."""
        return next(part for part in self.release.parts if part.role == "champion")

    @cached_property
    def is_shared(self) -> bool:
        """Whether another version answers beside the champion."""
        return self.release.candidate is not None

    @cached_property
    def reads_texts(self) -> bool:
        """Whether a version takes free texts, of which a run takes as long for each as for the longest."""
        return any(loaded.model.columns.texts for loaded in self.versions.values())

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
    return InForce(release, named, spec)


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
    rows = pl.read_parquet(sample)
    return Loaded(version, model, usual_values(rows, model.columns), _edges(model, rows))


def _edges(model: Model, rows: pl.DataFrame) -> tuple[float, ...]:
    """Twentieths of a probability; of values the twentieths of the answers to unseen rows."""
    if model.output in ("probability", "probabilities"):
        return SHARES
    known = np.array([shown(said) for said in rows["prediction"].drop_nulls().to_list()])
    return tuple(np.unique(np.quantile(known, SHARES)).tolist()) if len(known) else (0.0,)


def shown(said: Said) -> float:
    """An answer as one number: of classes that of the likeliest, of quantiles the middle one."""
    if not isinstance(said, list):
        return said
    return max(said) if abs(sum(said) - 1) < 1e-3 else said[len(said) // 2]
