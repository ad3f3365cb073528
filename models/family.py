"""What a family of models offers, and how one is found by its name."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import BaseModel, ValidationError

import models.families
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
    asked: dict[Ability, tuple[bool, str]] = {
        "monotone": (bool(job.monotone), "training.monotone"),
        "focal": (job.focal, "training.imbalance: focal"),
        "start": (job.start is not None, "training.stateful"),
        "targets": (job.targets is not None, "a teacher's answers"),
    }
    for ability, (wanted, what) in asked.items():
        if wanted and ability not in abilities:
            raise SpecError(f"the family {name} cannot do {what}: leave it out of training.families")
    if job.monotone and len(job.problem.outputs) > 1:
        raise SpecError("training.monotone: of several classes no prediction rises or falls: leave it out")


def read_parameters(kind: type[P], name: str, parameters: Mapping[str, Parameter]) -> P:
    """The parameters of the family `name` as its own class `kind`.

    SpecError names the key in `training.parameters`, and the nearest right one or what is wrong
    with the value.
    """
    try:
        return kind.model_validate(dict(parameters))
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0])
        right = nearest(key, kind.model_fields) if fault["type"] == "extra_forbidden" else ""
        known = f"; it takes {sorted(kind.model_fields)}" if fault["type"] == "extra_forbidden" else ""
        raise SpecError(f"training.parameters.{name}.{key}: {fault['msg']}{right}{known}") from error


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
