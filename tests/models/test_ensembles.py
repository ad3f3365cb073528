"""Families that are made of others: what they weigh, what they are given, and what a small one learns."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from core.errors import SpecError
from models.families.distilled import Distilled
from models.families.lightgbm import Trees
from models.families.stacking import STRETCHES, stretches
from models.family import Fitted, Job, Parameter, family
from models.learning.blend import Blend
from models.problem import as_answers
from models.rows import Rows

pytestmark = pytest.mark.slow

KINDS = ("binary", "multiclass", "regression", "quantiles", "ranking")
QUICK: dict[str, dict[str, Parameter]] = {
    "lightgbm": {"rounds": 40, "learning_rate": 0.1, "min_data_in_leaf": 40},
    "torch": {"min_steps": 100},
}
PAIR: dict[str, Parameter] = {"members": ["lightgbm", "linear"]}


def job_of(task: Any, parameters: dict[str, Parameter], **changes: Any) -> Job:
    """A quick job on a task, but for what is given."""
    job = Job(task.problem, task.columns, task.train, task.validation, parameters, seed=1, settings=QUICK)
    return replace(job, **changes)


def blend(name: str, job: Job) -> Blend:
    model = family(name).fit(job)
    assert isinstance(model, Blend)
    return model


def loss(job: Job, model: Fitted, rows: Rows) -> float:
    answers = as_answers(job.problem.link, model.margins(rows.frame))
    return float(job.problem.losses(rows, answers).mean())


@dataclass(frozen=True, slots=True)
class Told:
    """A member that was told the labels: it knows its train rows by heart, and nothing else."""

    honest: Fitted
    labels: dict[int, float]

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The labels where they are known."""
        return np.array([[self.labels.get(flight, 0.0)] for flight in frame["flight"]])

    def importance(self) -> dict[str, float]:
        """What an honest one goes by."""
        return self.honest.importance()


@pytest.mark.parametrize("kind", ["binary", "regression", "ranking"])
def test_a_stack_is_weighed_by_rows_that_its_members_have_not_seen(kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    job = job_of(task, PAIR)
    honest = blend("stacking", job)
    known = 20 * task.train.labels - 10 if kind == "binary" else task.train.labels
    labels = dict(zip(task.train.frame["flight"], known, strict=True))
    told: Any = Told(honest.members["lightgbm"], labels)
    assert loss(job, told, task.train) < 0.5 * loss(job, honest, task.train)
    cheated = blend("stacking", replace(job, members=dict(honest.members) | {"lightgbm": told}))
    assert cheated.weights == honest.weights


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_level_that_moves_with_time_is_no_reason_to_say_more(kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    place = np.arange(len(task.train)) / len(task.train)
    rising = task.train.labels + (300 * place if kind == "regression" else 0)
    if kind == "binary":  # positives become ever more frequent, but in the validation rows
        rising = np.maximum(task.train.labels, np.random.default_rng(1).random(len(place)) < 0.8 * place)
    model = blend("stacking", job_of(task, PAIR, train=replace(task.train, labels=rising)))
    average = blend("average", job_of(task, PAIR, train=replace(task.train, labels=rising)))
    frame = task.train.frame
    assert model.margins(frame).mean() == pytest.approx(average.margins(frame).mean(), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_says_nothing_weighs_nothing(kind: str, tasks: dict[str, Any]) -> None:
    job = job_of(tasks[kind], {"members": ["constant", "linear"]})
    model = blend("stacking", job)
    alone = loss(job, model.members["linear"], tasks[kind].later)
    assert loss(job, model, tasks[kind].later) < 1.02 * alone


@pytest.mark.parametrize("kind", KINDS)
def test_each_stretch_comes_after_all_that_it_is_told_from(kind: str, tasks: dict[str, Any]) -> None:
    job = job_of(tasks[kind], PAIR)
    found = list(stretches(job))
    assert len(found) == STRETCHES
    for fitted, stop, later in found:
        asked = job.train.frame["decision_time"][later].min()
        assert job.train.times[fitted].max() < job.train.times[stop].min()
        assert job.train.times[stop].max() <= asked
        if job.train.groups is not None:
            groups = [set(job.train.groups[part]) for part in (fitted, stop, later)]
            assert not groups[0] & groups[1]
            assert not (groups[0] | groups[1]) & groups[2]
    asked_of = np.concatenate([later for _, _, later in found])
    np.testing.assert_array_equal(asked_of, np.arange(len(job.train) // 4, len(job.train)))


def test_members_weigh_alike_where_there_is_nothing_to_tell_them_by(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    few = task.train.at(
        np.argsort(task.train.labels, kind="stable")[-12:]
    )  # of one class but for the last fit
    job = job_of(task, {"members": ["constant", "linear"]}, train=few)
    assert blend("stacking", job).weights == (0.5, 0.5)


def test_the_scores_of_a_ranking_are_averaged_by_their_spread(tasks: dict[str, Any]) -> None:
    task = tasks["ranking"]
    model = blend("average", job_of(task, PAIR))
    parts = [
        weight * member.margins(task.validation.frame).std()
        for member, weight in zip(model.members.values(), model.weights, strict=True)
    ]
    assert parts == pytest.approx([0.5, 0.5])


def test_an_average_is_the_mean_of_what_its_members_say(tasks: dict[str, Any]) -> None:
    task = tasks["multiclass"]
    model = blend("average", job_of(task, PAIR))
    said = [member.margins(task.later.frame) for member in model.members.values()]
    np.testing.assert_allclose(model.margins(task.later.frame), np.mean(said, axis=0))
    shares = [member.contributions(task.later.frame) for member in model.members.values()]
    found = model.contributions(task.later.frame)
    assert found is not None
    np.testing.assert_allclose(found, np.mean([share for share in shares if share is not None], axis=0))


@pytest.mark.parametrize("name", ["average", "stacking"])
def test_members_that_are_given_are_taken_and_others_fitted_by_their_settings(
    name: str, tasks: dict[str, Any]
) -> None:
    job = job_of(tasks["binary"], PAIR, settings={"lightgbm": {"rounds": 3}})
    linear = family("linear").fit(replace(job, parameters={}))
    model = blend(name, replace(job, members={"linear": linear}))
    assert model.members["linear"] is linear
    trees = model.members["lightgbm"]
    assert isinstance(trees, Trees)
    assert trees.booster.num_trees() <= 3


def test_what_is_asked_of_an_ensemble_is_asked_of_its_members(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    for name in ("average", "stacking"):
        model = blend(name, job_of(task, PAIR, monotone={"wind": -1}))
        frame = task.later.frame[:50]
        low, high = (model.margins(frame.with_columns(wind=pl.lit(wind, pl.Float32))) for wind in (2, 25))
        assert (high <= low).all()
    with pytest.raises(SpecError, match=r"the family torch cannot do training.monotone"):
        family("average").fit(job_of(task, {"members": ["torch"]}, monotone={"wind": -1}))


def test_what_an_ensemble_may_be_made_of_is_said(tasks: dict[str, Any]) -> None:
    assert family("average").takes({}) == ("lightgbm", "torch")
    assert family("stacking").takes({"members": ["linear", "torch", "linear"]}) == ("linear", "torch")
    assert family("distilled").takes({"teacher": "stacking"}) == ("stacking",)
    with pytest.raises(SpecError, match=r"no family 'lightbgm'.*did you mean 'lightgbm'"):
        family("average").takes({"members": ["lightbgm"]})
    with pytest.raises(SpecError, match=r"stacking.members: 'average' is made of other families"):
        family("stacking").takes({"members": ["average"]})
    with pytest.raises(SpecError, match="its own teacher"):
        family("distilled").fit(job_of(tasks["binary"], {"teacher": "distilled"}))


def size(model: Fitted, folder: Path) -> int:
    """How many bytes a model takes."""
    folder.mkdir()
    model.save(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("student", ["lightgbm", "torch"])
def test_a_student_is_small_and_says_what_its_teacher_does(
    student: str, kind: str, tasks: dict[str, Any], tmp_path: Path
) -> None:
    task = tasks[kind]
    job = job_of(task, {"teacher": "linear", "student": student})
    teacher = family("linear").fit(replace(job, parameters={}))
    model = family("distilled").fit(replace(job, members={"linear": teacher}))
    assert isinstance(model, Distilled)
    said, taught = (
        as_answers(task.problem.link, each.margins(task.later.frame)).reshape(len(task.later), -1)[:, 0]
        for each in (model, teacher)
    )
    assert np.corrcoef(said, taught)[0, 1] > 0.9
    full = family(student).fit(replace(job, parameters={}))
    assert size(model, tmp_path / "small") < size(full, tmp_path / "full")


def test_a_student_of_quantiles_covers_what_its_teacher_does(tasks: dict[str, Any]) -> None:
    """Labels, which are no quantiles, would draw them together."""
    task = tasks["quantiles"]
    job = job_of(task, {"teacher": "linear", "blend": 0.8})
    teacher = family("linear").fit(replace(job, parameters={}))
    model = family("distilled").fit(replace(job, members={"linear": teacher}))
    frame, labels = task.later.frame, task.later.labels[:, None]
    said, taught = ((labels <= each.margins(frame)).mean(0) for each in (model, teacher))
    assert said == pytest.approx(taught, abs=0.05)


def test_a_teacher_that_is_not_given_is_made_of_the_members(tasks: dict[str, Any]) -> None:
    job = job_of(tasks["binary"], {}, settings={"average": PAIR, **QUICK})
    members = {
        name: family(name).fit(replace(job, parameters=QUICK.get(name, {})))
        for name in ("lightgbm", "linear")
    }
    teacher = family("average").fit(replace(job, parameters=PAIR, members=members))
    given, made = (
        family("distilled").fit(replace(job, members=each)) for each in ({"average": teacher}, members)
    )
    frame = tasks["binary"].later.frame
    np.testing.assert_array_equal(given.margins(frame), made.margins(frame))


def test_a_student_of_labels_alone_learns_no_teacher(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    wrong = family("linear").fit(job_of(task, {}, train=replace(task.train, labels=1 - task.train.labels)))
    losses = []
    for share in (0.0, 1.0):
        job = job_of(task, {"teacher": "linear", "blend": share}, members={"linear": wrong})
        losses.append(loss(job, family("distilled").fit(job), task.later))
    assert losses[0] > 0.7 > losses[1]
