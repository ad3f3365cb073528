"""LightGBM's trees of several quantiles: each learnt as if it were alone, and all of them in one booster."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from models.families.lightgbm import Trees, fit
from models.family import Job
from models.learning.losses import mean_loss
from models.onnx.prune import pruned
from models.problems.quantiles import Quantiles
from models.rows import Floats
from models.runtime.session import feed

pytestmark = pytest.mark.slow

LEVELS = (0.1, 0.5, 0.9)
# Steps so small that no quantile has learnt enough in so few of them: each fit has all of its rounds.
SMALL = {"rounds": 12, "learning_rate": 0.02, "min_data_in_leaf": 40}


def job_of(task: Any, levels: tuple[float, ...] = LEVELS, **changes: Any) -> Job:
    job = Job(Quantiles(levels), task.columns, task.train, task.validation, SMALL, seed=1)
    return replace(job, **changes)


def of_graph(model: Trees, job: Job, share: float | None = None) -> Floats:
    """The margins that the graph, or its first share of rounds, gives the validation rows."""
    graph = model.graph() if share is None else pruned(model.graph(), share)
    assert graph is not None
    session = ort.InferenceSession(graph.SerializeToString())
    return np.asarray(
        session.run(["margin"], feed(job.validation.frame, job.columns, "trees"))[0], np.float64
    )


def test_each_quantile_is_learnt_as_if_it_were_alone(tasks: dict[str, Any]) -> None:
    job = job_of(tasks["quantiles"])
    together = fit(job)
    assert together.booster.num_trees() == len(LEVELS) * SMALL["rounds"]
    for output, level in enumerate(LEVELS):
        alone = fit(replace(job, problem=Quantiles((level,))))
        said = together.margins(job.validation.frame)[:, output]
        np.testing.assert_array_equal(said, alone.margins(job.validation.frame)[:, 0])


def test_of_the_rows_that_were_learnt_the_share_below_a_quantile_is_its_level(tasks: dict[str, Any]) -> None:
    job = job_of(tasks["quantiles"], parameters=SMALL | {"rounds": 100, "learning_rate": 0.1})
    below = job.train.labels[:, None] <= fit(job).margins(job.train.frame)
    assert below.mean(0) == pytest.approx(LEVELS, abs=0.03)


def test_a_quantile_that_nothing_lies_above_is_a_constant_beside_others(tasks: dict[str, Any]) -> None:
    """All rows lie on one side of it, and a slope that small is none with L1: no tree of it splits."""
    parameters = SMALL | {"rounds": 60, "learning_rate": 0.1, "lambda_l1": 5.0}
    job = job_of(tasks["quantiles"], (0.5, 0.9999), parameters=parameters)
    model = fit(job)
    said, labels = model.margins(job.validation.frame), job.validation.labels
    assert said[:, 1] == pytest.approx(job.train.labels.max())
    assert np.corrcoef(said[:, 0], labels)[0, 1] > 0.4
    np.testing.assert_allclose(of_graph(model, job), said, rtol=1e-5)
    again = fit(replace(job, start=model))
    assert again.booster.num_trees() > model.booster.num_trees()
    assert again.margins(job.validation.frame)[:, 1] == pytest.approx(job.train.labels.max())


def test_the_first_rounds_of_the_graph_are_those_of_every_quantile(tasks: dict[str, Any]) -> None:
    job = job_of(tasks["quantiles"])
    model = fit(job)
    short = fit(replace(job, parameters=SMALL | {"rounds": 6})).margins(job.validation.frame)
    np.testing.assert_allclose(of_graph(model, job), model.margins(job.validation.frame), rtol=1e-5)
    np.testing.assert_allclose(of_graph(model, job, share=0.5), short, rtol=1e-5)


def test_where_a_direction_is_asked_for_medians_and_quantiles_are_learnt_too(tasks: dict[str, Any]) -> None:
    """LightGBM's own objectives for them know no directions."""
    for kind in ("absolute", "quantiles"):
        task = tasks[kind]
        parameters = SMALL | {"rounds": 150, "learning_rate": 0.1}
        job = job_of(task, problem=task.problem, parameters=parameters)
        free, bound = (
            mean_loss(task.problem, task.later, fit(each).margins(task.later.frame))
            for each in (job, replace(job, monotone={"wind": 1}))
        )
        assert bound < 1.05 * free
