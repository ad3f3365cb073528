"""The same answer to every row: what any model has to beat."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from onnx import ModelProto

from core.learning import Range
from core.spec import Model
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able, shares
from models.learning.truth import best_constant, truth_of
from models.onnx.graph import from_constant
from models.rows import Columns, Floats

name = "constant"
complexity = 0
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "targets"})
space: Mapping[str, Range] = {}


class Parameters(Model):
    """What `training.parameters.constant` may say: nothing."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The margins [K] of every row."""

    columns: Columns
    said: tuple[float, ...]

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The margins of each row [n, K]."""
        return np.tile(np.array(self.said), (frame.height, 1))

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        return from_constant(self.columns, np.array(self.said))

    def save(self, folder: Path) -> None:
        """Write `constant.json`."""
        (folder / "constant.json").write_text(json.dumps(asdict(self)))

    def importance(self) -> dict[str, float]:
        """Equal shares: no feature changes the answer."""
        return shares(self.columns, np.zeros(len(self.columns.names)))

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """Nothing of any feature [n, features, K]."""
        return np.zeros((frame.height, len(self.columns.names), len(self.said)))


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a constant is made of no other family."""
    return ()


def fit(job: Job) -> Constant:
    """The best constant: log-odds, a logit for each class, the mean or the median, 0 for a ranking."""
    require_able(name, abilities, job)
    read_parameters(Parameters, name, job.parameters)
    truth = truth_of(job)
    model = Constant(job.columns, tuple(truth.unit.of(best_constant(truth)).tolist()))
    report_losses(job, model)
    return model


def load(folder: Path) -> Constant:
    """Read back what `Constant.save` wrote."""
    saved = json.loads((folder / "constant.json").read_text())
    columns = Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()})
    return Constant(columns, tuple(saved["said"]))
