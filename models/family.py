"""What a family of models offers, and how one is found by its name."""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import BaseModel, ValidationError

import models.families
from core.errors import SpecError
from models.rows import Columns, Rows

P = TypeVar("P", bound=BaseModel)
Parameter = float | int | str | bool | list[int]
Report = Callable[[int, dict[str, float]], None]


class Fitted(Protocol):
    """A fitted model, before calibration."""

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The log-odds of each row of a feature frame [n]."""

    def graph(self) -> ModelProto:
        """The model as one graph.

        One input a feature, in the order of its Columns, each [n, 1]: float32 for a number (NaN
        is missing), string for a category ("" is missing). Its output is `margin`, float32 [n, 1].
        """

    def save(self, folder: Path) -> None:
        """Write the native model into an existing folder, without pickle; `Family.load` reads it."""

    def importance(self) -> dict[str, float]:
        """Each feature's share of what the model says; the shares sum to 1."""


class Family(Protocol):
    """A kind of model: a module of `models/families/` that has these names.

    `complexity` orders the families: of those that win, the simplest is released.
    """

    @property
    def name(self) -> str: ...

    @property
    def complexity(self) -> int: ...

    def fit(
        self,
        train: Rows,
        validation: Rows,
        columns: Columns,
        parameters: Mapping[str, Parameter],
        seed: int,
        report: Report,
    ) -> Fitted:
        """Fit on `train`, stop on `validation`; the same arguments give the same model.

        `report` is called with a rising step and `train_log_loss`, `validation_log_loss`.
        SpecError when a parameter is unknown or of the wrong type.
        """

    def load(self, folder: Path) -> Fitted:
        """Read back what `Fitted.save` wrote."""


def families() -> list[str]:
    """The names of the families that there are, in alphabetical order.

    >>> families()
    ['lightgbm', 'linear', 'torch']
    """
    return sorted(module.name for module in pkgutil.iter_modules(models.families.__path__))


def family(name: str) -> Family:
    """The family of this name; SpecError, with the nearest name, when there is none.

    >>> family("linear").complexity
    1
    """
    if name not in families():
        raise SpecError(
            f"no family {name!r}: training.families may name {families()}{_nearest(name, families())}"
        )
    return cast(Family, importlib.import_module(f"models.families.{name}"))


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
        right = _nearest(key, kind.model_fields) if fault["type"] == "extra_forbidden" else ""
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


def _nearest(word: str, words: Iterable[str]) -> str:
    matches = difflib.get_close_matches(word, list(words), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""
