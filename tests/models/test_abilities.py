"""What families do beyond fitting rows: weights, directions, the focal loss, soft answers, going on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from core.errors import PerennialError, SpecError
from models.families.lightgbm import Trees
from models.families.torch import Network
from models.family import Ability, Fitted, Job, families, family
from models.learning.losses import slopes
from models.measures.probabilities import auc
from models.problem import as_answers
from models.problems.regression import Regression
from models.rows import Columns, Rows

pytestmark = pytest.mark.slow

KINDS = ("binary", "multiclass", "regression", "quantiles", "ranking")
QUICK: dict[str, dict[str, Any]] = {
    "linear": {},
    "lightgbm": {"rounds": 60, "learning_rate": 0.1, "min_data_in_leaf": 40},
    "torch": {"min_steps": 120},
}
Floats = NDArray[np.float64]


def job_of(task: Any, name: str, **changes: Any) -> Job:
    """A quick job on a task, but for what is given."""
    job = Job(
        task.problem, task.columns, task.train, task.validation, QUICK.get(name, {}), seed=1, settings=QUICK
    )
    return replace(job, **changes)


def loss(job: Job, model: Fitted, rows: Rows) -> float:
    answers = as_answers(job.problem.link, model.margins(rows.frame))
    return float(job.problem.losses(rows, answers).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", QUICK)
def test_rows_without_weight_teach_nothing(name: str, kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    wrong = np.arange(len(task.train)) < 1_300  # most of the rows say the opposite of what is so
    turned = np.where(
        wrong, task.train.labels.max() + task.train.labels.min() - task.train.labels, task.train.labels
    )
    job = job_of(task, name, train=replace(task.train, labels=turned))
    weighed = replace(job, train=replace(job.train, weights=np.where(wrong, 1e-6, 1.0)))
    believed, doubted = (loss(job, family(name).fit(each), task.later) for each in (job, weighed))
    right = loss(job, family(name).fit(job_of(task, name, train=task.train.at(~wrong))), task.later)
    assert doubted < right + 0.3 * (believed - right)


@pytest.mark.parametrize("kind", ["binary", "regression", "absolute", "quantiles", "ranking"])
@pytest.mark.parametrize("name", ["linear", "lightgbm"])
def test_a_monotone_feature_only_raises_or_only_lowers(name: str, kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    steps = pl.DataFrame({"step": np.linspace(-60, 60, 80, dtype=np.float32)})
    grid = task.later.frame[:40].join(steps, how="cross").with_columns(wind=pl.col("step"))
    turned = replace(task.train, frame=task.train.frame.with_columns(wind=-pl.col("wind")))

    def moves(train: Rows, ways: dict[str, int]) -> Floats:
        model = family(name).fit(job_of(task, name, train=train, monotone=ways))
        return np.diff(model.margins(grid).reshape(40, 80, -1), axis=1)

    for way, train in ((1, turned), (-1, task.train)):  # against what the labels say
        assert (way * moves(train, {}) < 0).any()
        assert (way * moves(train, {"wind": way}) >= 0).all()
    assert (moves(task.train, {"wind": 1}) > 0).any()


def test_classes_have_no_direction(tasks: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"training.monotone: of several classes"):
        family("linear").fit(job_of(tasks["multiclass"], "linear", monotone={"wind": 1}))


ASKED: dict[Ability, dict[str, Any]] = {
    "monotone": {"monotone": {"wind": 1}},
    "focal": {"focal": True},
    "start": {"start": object()},
    "targets": {"targets": np.zeros(1_800)},
}


@pytest.mark.parametrize("name", families())
def test_what_a_family_cannot_do_it_refuses(name: str, tasks: dict[str, Any]) -> None:
    for ability, asked in ASKED.items():
        if ability not in family(name).abilities:
            with pytest.raises(SpecError, match=f"the family {name} cannot do"):
                family(name).fit(job_of(tasks["binary"], name, **asked))


@pytest.mark.parametrize("name", QUICK)
def test_the_focal_loss_is_what_a_focal_fit_makes_small(name: str, tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    job = job_of(task, name)
    models = [family(name).fit(replace(job, focal=focal)) for focal in (True, False)]
    truth = task.train.labels[:, None]
    focal, plain = (
        float(slopes("focal", model.margins(task.train.frame), truth)[0].mean()) for model in models
    )
    assert focal < plain
    said = models[0].margins(task.later.frame)[:, 0]
    assert auc(task.later.labels, said) > 0.97 * auc(
        task.later.labels, models[1].margins(task.later.frame)[:, 0]
    )
    assert said.std() < models[1].margins(task.later.frame).std()  # it is less sure, which calibration mends


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", QUICK)
def test_soft_answers_are_learned(name: str, kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    teacher = family("linear").fit(job_of(task, "linear"))
    answers = as_answers(task.problem.link, teacher.margins(task.train.frame))
    blank = replace(task.train, labels=np.roll(task.train.labels, 7))  # the labels say nothing now
    model = family(name).fit(job_of(task, name, train=blank, targets=answers))
    said, taught = (
        as_answers(task.problem.link, each.margins(task.later.frame)).reshape(len(task.later), -1)[:, :3]
        for each in (model, teacher)
    )
    for one, other in zip(said.T, taught.T, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.9
    if kind != "ranking":  # whose scores have no unit
        assert said.mean(0) == pytest.approx(taught.mean(0), rel=0.1)


def changed(rows: Rows) -> Rows:
    """The same rows far away, where wind, with which the labels rise, is told the other way round."""
    far = {"wind": 30 - pl.col("wind"), "distance": pl.col("distance") + 5_000}
    return replace(rows, frame=rows.frame.with_columns(**far))


def mixed(rows: Rows) -> Rows:
    """Half of the rows in the changed world, and half as they were: replayed, against forgetting."""
    far = np.arange(len(rows)) % 2 == 0
    order = np.argsort(~far, kind="stable")
    frame = pl.concat([changed(rows).frame.filter(far), rows.frame.filter(~far)])
    groups = None if rows.groups is None else rows.groups[order] * 2 + far[order]
    return Rows(frame, rows.labels[order], rows.times, groups)


UPDATES = [
    ("lightgbm", {"update": "continue"}),
    ("lightgbm", {"update": "refit", "decay": 0.3}),
    ("torch", {}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "more"), UPDATES, ids=["continue", "refit", "torch"])
def test_a_fit_goes_on_from_another(
    name: str, more: dict[str, Any], kind: str, tasks: dict[str, Any], tmp_path: Path
) -> None:
    task = tasks[kind]
    parameters = QUICK[name] | more
    start = family(name).fit(job_of(task, name, parameters=parameters))
    old, new = task.later, changed(task.later)
    rows, stop = mixed(task.validation), mixed(task.train.at(slice(0, 600)))
    job = job_of(task, name, parameters=parameters, train=rows, validation=stop, start=start)
    if kind == "quantiles" and more.get("update") == "refit":  # LightGBM refits by its own objectives alone
        with pytest.raises(SpecError, match="refit knows no focal loss, no quantiles"):
            family(name).fit(job)
        return
    before = [start.margins(each.frame) for each in (old, new)]
    model = family(name).fit(job)
    assert loss(job, model, new) < loss(job, start, new)  # it learned
    constant = float(
        task.problem.losses(old, as_answers(task.problem.link, 0 * before[0] + mean(task))).mean()
    )
    forgotten = loss(job, model, old) - loss(job, start, old)
    assert forgotten < 0.5 * (constant - loss(job, start, old))  # and it did not forget
    for then, each in zip(before, (old, new), strict=True):
        np.testing.assert_array_equal(start.margins(each.frame), then)  # the champion is as it was
    model.save(tmp_path)
    np.testing.assert_array_equal(family(name).load(tmp_path).margins(new.frame), model.margins(new.frame))
    again = family(name).fit(job)
    np.testing.assert_array_equal(again.margins(new.frame), model.margins(new.frame))


def mean(task: Any) -> Floats:
    """The margins of the best constant."""
    constant = np.atleast_1d(task.problem.constant(task.train))
    if task.problem.kind == "binary":
        return np.log(constant / (1 - constant))
    return np.log(constant) if task.problem.kind == "multiclass" else constant


def test_what_codes_and_units_mean_is_frozen_when_a_fit_goes_on(tasks: dict[str, Any]) -> None:
    task = tasks["regression"]
    labels = 5 * task.validation.labels - 2_000
    frame = task.validation.frame.with_columns(airline=pl.col("airline").replace({"UA": "HA", "HA": "UA"}))
    rows = replace(task.validation, labels=labels, frame=frame)
    for name in ("lightgbm", "torch"):
        start = family(name).fit(job_of(task, name))
        model = family(name).fit(job_of(task, name, train=rows, validation=rows, start=start))
        assert isinstance(model, Trees | Network)
        if isinstance(model, Trees) and isinstance(start, Trees):
            assert (model.inputs, model.unit, model.base) == (start.inputs, start.unit, start.base)
            trees = start.booster.num_trees()
            assert trees < model.booster.num_trees() <= trees + 60
            old = model.booster.predict(model.inputs.of(frame), raw_score=True, num_iteration=trees)
            np.testing.assert_allclose(start.unit.of(np.asarray(old)), start.margins(frame)[:, 0])
        if isinstance(model, Network) and isinstance(start, Network):
            assert model.encodings == start.encodings
            assert model.network.unit == start.network.unit
            assert model.network.mean.equal(start.network.mean)
        assert loss(job_of(task, name), model, rows) < loss(job_of(task, name), start, rows)


@pytest.mark.parametrize("name", ["lightgbm", "torch"])
def test_no_fit_goes_on_from_other_features(name: str, tasks: dict[str, Any]) -> None:
    start = family(name).fit(job_of(tasks["binary"], name))
    for kind, columns in (
        ("binary", Columns(("wind",), ("airline",))),
        ("multiclass", tasks["binary"].columns),
    ):
        with pytest.raises(SpecError, match="the champion has other features or classes"):
            family(name).fit(job_of(tasks[kind], name, columns=columns, start=start))


def test_a_network_that_learns_nothing_better_stays_as_it_was(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    start = family("torch").fit(job_of(task, "torch"))
    nonsense = replace(task.train, labels=1 - task.train.labels)
    model = family("torch").fit(job_of(task, "torch", train=nonsense, start=start))
    assert loss(job_of(task, "torch"), model, task.validation) <= loss(
        job_of(task, "torch"), start, task.validation
    )


def test_a_warm_network_moves_less_at_a_lower_rate(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    start = family("torch").fit(job_of(task, "torch"))
    fresh = {"train": changed(task.train), "validation": changed(task.validation)}
    moved = []
    for rate in (0.02, 1.0):
        job = job_of(task, "torch", parameters=QUICK["torch"] | {"warm_rate": rate}, start=start, **fresh)
        moved.append(
            np.abs(
                family("torch").fit(job).margins(task.later.frame) - start.margins(task.later.frame)
            ).mean()
        )
    assert moved[0] < 0.3 * moved[1]


def test_refitting_keeps_the_level_of_the_labels(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    rare = replace(task.train, labels=task.train.labels * (np.arange(len(task.train)) % 8 == 0))
    start = family("lightgbm").fit(job_of(task, "lightgbm", train=rare))
    job = job_of(
        task, "lightgbm", parameters=QUICK["lightgbm"] | {"update": "refit"}, train=rare, start=start
    )
    before, after = (model.margins(task.later.frame).mean() for model in (start, family("lightgbm").fit(job)))
    assert before < -2
    assert after == pytest.approx(before, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_native_categories_are_split_as_they_are(kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    columns = Columns((), ("airline",))
    parameters = QUICK["lightgbm"] | {"categories": "native"}
    model = family("lightgbm").fit(job_of(task, "lightgbm", columns=columns, parameters=parameters))
    frame = pl.DataFrame({"airline": ["UA", "HA", "never", None]})
    said = model.margins(frame)
    assert said[0, -1 if kind != "multiclass" else 2] < said[1, -1 if kind != "multiclass" else 2]
    np.testing.assert_array_equal(said[2], said[3])  # what was never seen is missing


@pytest.mark.parametrize("name", ["linear", "lightgbm", "torch"])
def test_absolute_errors_make_the_median(name: str, tasks: dict[str, Any]) -> None:
    task = tasks["regression"]
    far = np.where(np.arange(len(task.train)) % 5 == 0, 1e5, task.train.labels)  # one in five is far out
    job = job_of(task, name, problem=Regression("mae"), train=replace(task.train, labels=far))
    squared = replace(job, problem=Regression("rmse"))
    near, drawn = (np.median(family(name).fit(each).margins(task.later.frame)) for each in (job, squared))
    middle = np.median(far)
    assert abs(near - middle) < 200
    assert drawn > middle + 5_000


@pytest.mark.parametrize("name", QUICK)
def test_values_of_any_size_are_learned_alike(name: str, tasks: dict[str, Any]) -> None:
    task = tasks["regression"]
    small, large = (
        family(name)
        .fit(
            job_of(
                task,
                name,
                **{
                    part: replace(getattr(task, part), labels=shift + factor * getattr(task, part).labels)
                    for part in ("train", "validation")
                },
            )
        )
        .margins(task.later.frame)
        for shift, factor in ((0.0, 1e-6), (1e6, 1e3))
    )
    np.testing.assert_allclose((large - 1e6) / 1e9, small, rtol=0, atol=0.05 * small.std())


def test_any_grades_can_be_ranked(tasks: dict[str, Any]) -> None:
    task = tasks["ranking"]
    fractions = {
        part: replace(getattr(task, part), labels=getattr(task, part).labels / 2)
        for part in ("train", "validation")
    }
    model = family("lightgbm").fit(job_of(task, "lightgbm", **fractions))
    assert loss(job_of(task, "lightgbm"), model, task.later) < 0.7 * loss(
        job_of(task, "lightgbm"), family("constant").fit(job_of(task, "constant")), task.later
    )


def test_a_list_too_long_to_rank_is_named(tasks: dict[str, Any]) -> None:
    task = tasks["ranking"]
    long = task.train.at(np.arange(10_001) % len(task.train))
    long = replace(long, groups=np.zeros(len(long), np.int64))
    with pytest.raises(PerennialError, match=r"a list has 10001 rows.*at most 10000.*outcome.group"):
        family("lightgbm").fit(job_of(task, "lightgbm", train=long))


@pytest.mark.parametrize(
    "more", [{"batch_norm": True}, {"schedule": "cosine"}, {"hidden": [8], "cross": 3, "dropout": 0.5}]
)
def test_networks_of_other_shapes_learn_and_are_kept(
    more: dict[str, Any], tasks: dict[str, Any], tmp_path: Path
) -> None:
    task = tasks["binary"]
    odd = task.train.at(slice(0, 1_537))  # three batches, and a row left over
    job = job_of(task, "torch", parameters=QUICK["torch"] | more, train=odd)
    model = family("torch").fit(job)
    assert loss(job, model, task.later) < 0.92 * loss(
        job, family("constant").fit(job_of(task, "constant")), task.later
    )
    model.save(tmp_path)
    frame = task.later.frame
    np.testing.assert_array_equal(family("torch").load(tmp_path).margins(frame), model.margins(frame))
    np.testing.assert_allclose(model.margins(frame[:1]), model.margins(frame)[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted({*families()} - {"transformer"}))  # it reads texts: see test_texts.py
def test_awkward_features_of_few_rows_break_no_fit(name: str, kind: str, tasks: dict[str, Any]) -> None:
    task, random = tasks[kind], np.random.default_rng(2)
    awkward = {
        "empty": pl.lit(None, pl.Float32),
        "same": pl.lit(3.0, pl.Float32),
        "huge": pl.Series(random.normal(0, 1e30, 60), dtype=pl.Float32),
        "tiny": pl.Series(random.normal(0, 1e-30, 60), dtype=pl.Float32),
        "flag": pl.Series(random.random(60) < 0.5),
        "unknown": pl.lit(None, pl.String),
        "single": pl.lit("a"),
        "own": pl.int_range(pl.len()).cast(pl.String),
    }
    train, validation = (
        replace(rows.at(slice(0, 60)), frame=rows.frame[:60].with_columns(**awkward))
        for rows in (task.train, task.validation)
    )
    columns = Columns(("wind", "empty", "same", "huge", "tiny", "flag"), ("unknown", "single", "own"))
    model = family(name).fit(job_of(task, name, columns=columns, train=train, validation=validation))
    assert np.isfinite(model.margins(validation.frame)).all()
    assert sum(model.importance().values()) == pytest.approx(1)
    added = model.contributions(validation.frame)
    assert added is None or np.isfinite(added).all()
