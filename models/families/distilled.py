"""One small model that learns what an ensemble says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from onnx import ModelProto

from core.errors import SpecError
from core.learning import Range
from core.spec import Model, Share
from models.family import Ability, Fitted, Job, Parameter, family, read_parameters, require_able
from models.problem import as_answers
from models.rows import Floats

name = "distilled"
complexity = 2
abilities: frozenset[Ability] = frozenset({"monotone", "focal"})
space: Mapping[str, Range] = {"blend": Range(low=0.0, high=0.8)}

# What makes a student small: a tenth of what its family grows to by itself.
SMALL: Mapping[str, Mapping[str, Parameter]] = {
    "lightgbm": {"num_leaves": 8, "rounds": 100, "learning_rate": 0.15},
    "torch": {"hidden": [32], "cross": 1, "width": 8},
}


class Parameters(Model):
    """What `training.parameters.distilled` may say.

    The `student` learns the answers of the `teacher`, of which the labels themselves are a share of
    `blend`: a teacher has seen the labels of the rows that it answers, and is a little too sure of them.
    """

    teacher: str = "average"
    student: Literal["lightgbm", "torch"] = "lightgbm"
    blend: Share = 0.3


@dataclass(frozen=True, slots=True)
class Distilled:
    """The fitted student."""

    student: str
    model: Fitted

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The student's margins of each row [n, K]."""
        return self.model.margins(frame)

    def graph(self) -> ModelProto:
        """The student as one graph: raw features in, `margin` out."""
        return self.model.graph()

    def save(self, folder: Path) -> None:
        """Write `student.json`, and the student into the folder of its family."""
        (folder / "student.json").write_text(json.dumps(self.student))
        (folder / self.student).mkdir()
        self.model.save(folder / self.student)

    def importance(self) -> dict[str, float]:
        """The student's."""
        return self.model.importance()

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """The student's."""
        return self.model.contributions(frame)


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """The teacher."""
    return (read_parameters(Parameters, name, parameters).teacher,)


def fit(job: Job) -> Distilled:
    """A small student of the teacher's answers to the train rows.

    The teacher is among the job's members, or is fitted now, of those that are its own.
    """
    require_able(name, abilities, job)
    chosen = read_parameters(Parameters, name, job.parameters)
    if chosen.teacher == name:
        raise SpecError("training.parameters.distilled.teacher: it cannot be its own teacher: say average")
    teacher = job.members.get(chosen.teacher) or _teacher(job, chosen.teacher)
    taught = replace(
        job,
        parameters=SMALL[chosen.student],
        targets=_targets(job, teacher, chosen.blend),
        focal=False,  # the teacher has looked where it had to
        members={},
    )
    return Distilled(chosen.student, family(chosen.student).fit(taught))


def load(folder: Path) -> Distilled:
    """Read back what `Distilled.save` wrote."""
    student = json.loads((folder / "student.json").read_text())
    return Distilled(student, family(student).load(folder / student))


def _teacher(job: Job, teacher: str) -> Fitted:
    quiet = replace(job, parameters=job.settings.get(teacher, {}), report=lambda step, losses: None)
    return family(teacher).fit(quiet)


def _targets(job: Job, teacher: Fitted, blend: float) -> Floats:
    """The teacher's answers, with a share of the labels [n], or [n, K] of classes.

    The scores and the grades of a ranking have no unit in common: each is taken in its own spread. A
    label is no quantile, so that those of the teacher are learned as they are.
    """
    answers = as_answers(job.problem.link, teacher.margins(job.train.frame))
    labels = job.train.labels
    if job.problem.output == "quantiles":
        return answers
    if job.problem.kind == "multiclass":
        labels = (labels[:, None] == np.arange(answers.shape[1])).astype(np.float64)
    if job.problem.kind == "ranking":
        answers, labels = _spread(answers), _spread(labels)
    return (1 - blend) * answers + blend * labels


def _spread(values: Floats) -> Floats:
    """Values with mean 0 and spread 1."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-12), np.float64)
