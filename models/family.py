"""What a family of models offers, and how one is found by its name."""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import BaseModel, ValidationError

import models.families
from core.documents import Fault, told
from core.errors import SpecError
from core.learning import Range
from core.words import nearest
from models.learning.losses import mean_loss
from models.problem import Floats, Problem
from models.rows import Columns, Rows

P = TypeVar("P", bound=BaseModel)
Parameter = float | int | str | bool | list[int] | list[str]
Report = Callable[[int, dict[str, float]], None]
Ability = Literal["monotone", "focal", "start", "targets"]


# What asks for each ability, in the words of a spec.
_ASKED: Mapping[Ability, str] = {
    "monotone": "training.monotone",
    "focal": "training.imbalance: focal",
    "start": "training.stateful",
    "targets": "a teacher's answers",
}
NO_RISE = "of several classes no prediction rises or falls: leave it out"


class Fitted(Protocol):
    """A fitted model, before calibration."""

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The margins of each row of a feature frame [n, K]: see `models.problem.Problem`."""

    def graph(self) -> ModelProto:
        """The model as one graph.

        One input a feature, in the order of its Columns, each [n, 1]: float32 for a number (NaN
        is missing), string for a category ("" is missing). Its output is `margin`, float32 [n, K].
        """

    def save(self, folder: Path) -> None:
        """Write the native model into an existing folder, without pickle; `Family.load` reads it."""

    def importance(self) -> dict[str, float]:
        """Each feature's share of what the model says; the shares sum to 1."""

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """What each feature adds to each margin of each row [n, features, K], in the order of its Columns.

        They are SHAP values: with a constant they sum to the margin. None where there are no exact ones.
        """


@dataclass(frozen=True, slots=True)
class Job:
    """What a family is asked to fit: on `train`, stopping on `validation`.

    `report` is called with a rising step and `train_loss`, `validation_loss`. `monotone` has 1 or
    -1 for features whose rise may only raise or lower the margin. `focal` asks for the focal loss.
    `targets` [n] or [n, K] are soft answers to learn in place of the train rows' labels. `start` is
    a fit of the same family to go on from. `members` are fits on the same rows, by family, for a
    family that is made of others, and `settings` the parameters of such families.
    """

    problem: Problem
    columns: Columns
    train: Rows
    validation: Rows
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    seed: int = 0
    report: Report = lambda step, losses: None
    monotone: Mapping[str, int] = field(default_factory=dict)
    focal: bool = False
    targets: Floats | None = None
    start: Fitted | None = None
    members: Mapping[str, Fitted] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)


class Family(Protocol):
    """A kind of model: a module of `models/families/` that has these names.

    `complexity` orders the families: of those that win, the simplest is released. `abilities` are
    what it takes of a Job beyond rows and parameters. `Parameters` is the class that reads its
    parameters, and `space` is where they are looked for.
    """

    @property
    def name(self) -> str: ...

    @property
    def complexity(self) -> int: ...

    @property
    def abilities(self) -> frozenset[Ability]: ...

    @property
    def Parameters(self) -> type[BaseModel]: ...

    @property
    def space(self) -> Mapping[str, Range]: ...

    def takes(self, parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
        """The families that its fits are made of: they are fitted before it."""

    def fit(self, job: Job) -> Fitted:
        """Do the job; the same job gives the same model.

        SpecError when a parameter is unknown or of the wrong type, or the job asks for what the
        family is not able to do.
        """

    def load(self, folder: Path) -> Fitted:
        """Read back what `Fitted.save` wrote."""


def families() -> list[str]:
    """The names of the families that there are, in alphabetical order.

    >>> families()
    ['average', 'constant', 'distilled', 'lightgbm', 'linear', 'stacking', 'torch', 'transformer']
    """
    return sorted(module.name for module in pkgutil.iter_modules(models.families.__path__))


def family(name: str) -> Family:
    """The family of this name; SpecError, with the nearest name, when there is none.

    >>> family("linear").complexity
    1
    """
    if name not in families():
        raise SpecError(
            f"no family {name!r}: training.families may name {families()}{nearest(name, families())}"
        )
    return cast(Family, importlib.import_module(f"models.families.{name}"))


def require_able(name: str, abilities: frozenset[Ability], job: Job) -> None:
    """SpecError unless the family of this name is able to do all that the job asks for."""
    asked: set[Ability] = set()
    asked |= {"monotone"} if job.monotone else set()
    asked |= {"focal"} if job.focal else set()
    asked |= {"start"} if job.start is not None else set()
    asked |= {"targets"} if job.targets is not None else set()
    if found := list(unable(name, abilities, asked)):
        raise SpecError(found[0])
    if job.monotone and job.problem.kind == "multiclass":
        raise SpecError(f"training.monotone: {NO_RISE}")


def unable(name: str, abilities: frozenset[Ability], asked: Collection[Ability]) -> Iterator[str]:
    """A sentence on each of the abilities that are asked of a family and that it has not."""
    for ability, what in _ASKED.items():
        if ability in asked and ability not in abilities:
            yield f"the family {name} cannot do {what}: leave it out of training.families"


def read_parameters(kind: type[P], name: str, parameters: Mapping[str, Parameter]) -> P:
    """The parameters of the family `name` as its own class `kind`; SpecError with all `parameter_faults`."""
    if found := list(parameter_faults(kind, name, parameters)):
        raise SpecError(told(found))
    return kind.model_validate(dict(parameters))


def parameter_faults(
    kind: type[BaseModel], name: str, parameters: Mapping[str, Parameter]
) -> Iterator[Fault]:
    """What `kind`, the class of the family `name`, does not take: the keys, and what would be right."""
    try:
        kind.model_validate(dict(parameters))
    except ValidationError as error:
        # A value that is none of a union's members is a fault of each of them.
        for fault in {fault["loc"][:1]: fault for fault in reversed(error.errors())}.values():
            sentence = fault["msg"].replace("Input should", "should")
            if fault["type"] == "extra_forbidden":
                key, known = fault["loc"][0], kind.model_fields
                sentence = f"no such parameter{nearest(key, known)}; the family {name} takes {sorted(known)}"
            yield ("training", "parameters", name, *fault["loc"][:1]), sentence


def shares(columns: Columns, weights: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Weights [features], none negative, as shares that sum to 1; equal ones where all are 0.

    >>> shares(Columns(("wind",), ("carrier",)), np.array([1.0, 3.0]))
    {'wind': 0.25, 'carrier': 0.75}
    """
    total = float(weights.sum())
    parts = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    return dict(zip(columns.names, parts.tolist(), strict=True))


def report_losses(job: Job, model: Fitted, step: int = 1) -> None:
    """Report what a model that is fitted in one go loses on the rows of its job."""
    parts = {"train_loss": job.train, "validation_loss": job.validation}
    said = {part: model.margins(rows.frame) for part, rows in parts.items()}
    job.report(
        step, {part: mean_loss(job.problem, rows, said[part], job.focal) for part, rows in parts.items()}
    )
