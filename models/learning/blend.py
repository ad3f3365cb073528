"""Several fitted models as one: the weighted sum of their margins."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from onnx import ModelProto
from pydantic import Field

from core.errors import SpecError
from core.spec import Model
from core.words import nearest
from models.family import Fitted, Job, families, family, shares
from models.onnx.graph import from_members
from models.rows import Columns, Floats


class Parameters(Model):
    """What `training.parameters` may say of an ensemble: the families that are its `members`."""

    members: list[str] = Field(default=["lightgbm", "torch"], min_length=1)


@dataclass(frozen=True, slots=True)
class Blend:
    """margins = the sum of each member's margins times its weight, and `intercept` [K].

    A member's part in the importance is its weight times the spread of its margins.
    """

    columns: Columns
    members: Mapping[str, Fitted]
    weights: tuple[float, ...]
    intercept: tuple[float, ...]
    shares: Mapping[str, float]

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The margins of each row [n, K]."""
        found = np.tile(np.array(self.intercept), (frame.height, 1))
        for model, weight in zip(self.members.values(), self.weights, strict=True):
            found += weight * model.margins(frame)
        return found

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        graphs = [model.graph() for model in self.members.values()]
        return from_members(graphs, self.weights, np.array(self.intercept))

    def save(self, folder: Path) -> None:
        """Write `blend.json`, and each member into a folder of its name."""
        for name, model in self.members.items():
            (folder / name).mkdir()
            model.save(folder / name)
        document = {
            "columns": asdict(self.columns),
            "weights": dict(zip(self.members, self.weights, strict=True)),
            "intercept": self.intercept,
            "shares": self.shares,
        }
        (folder / "blend.json").write_text(json.dumps(document))

    def importance(self) -> dict[str, float]:
        """Each feature's share of what the members say, by their parts in it."""
        return dict(self.shares)

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """The weighted sum of the members' [n, features, K]; None where one has no exact ones."""
        total = np.zeros((frame.height, len(self.columns.names), len(self.intercept)))
        for model, weight in zip(self.members.values(), self.weights, strict=True):
            part = model.contributions(frame)
            if part is None:
                return None
            total += weight * part
        return total


def blended(job: Job, members: Mapping[str, Fitted], weights: Sequence[float], intercept: Floats) -> Blend:
    """The members, which weigh so much; their parts in the importance come from the validation rows."""
    parts = np.zeros(len(job.columns.names))
    for model, weight in zip(members.values(), weights, strict=True):
        spread = float(model.margins(job.validation.frame).std(0).sum())
        parts += weight * spread * np.array([model.importance()[name] for name in job.columns.names])
    said = shares(job.columns, parts)
    return Blend(job.columns, members, tuple(map(float, weights)), tuple(intercept.tolist()), said)


def load_blend(folder: Path) -> Blend:
    """Read back what `Blend.save` wrote."""
    saved = json.loads((folder / "blend.json").read_text())
    return Blend(
        Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()}),
        {name: family(name).load(folder / name) for name in saved["weights"]},
        tuple(saved["weights"].values()),
        tuple(saved["intercept"]),
        saved["shares"],
    )


def members_of(job: Job, names: Sequence[str]) -> dict[str, Fitted]:
    """The fits of these families on the job's rows: those that it has, or else made now."""
    return {name: job.members[name] if name in job.members else fit_member(job, name) for name in names}


def fit_member(job: Job, name: str) -> Fitted:
    """A fit of this family on the job's rows, with its own parameters."""
    parameters = job.settings.get(name, {})
    own = replace(job, parameters=parameters, report=lambda step, losses: None, members={})
    return family(name).fit(own)


def single(owner: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once; SpecError when one is no family, or is itself made of others."""
    keys = f"training.parameters.{owner}.members"
    for name in names:
        if name not in families():
            raise SpecError(f"{keys}: no family {name!r}{nearest(name, families())}")
        if family(name).takes({}):
            raise SpecError(f"{keys}: {name!r} is made of other families: name those")
    return tuple(dict.fromkeys(names))
