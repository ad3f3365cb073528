"""Losses: their slopes against differences, torch's against numpy's, and the constants that lose least."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from models.family import Job
from models.learning.descent import Batch, Lesson, batch_loss, batches
from models.learning.losses import ROUNDED, Loss, Truth, Unit, least, listwise, mean_loss, slopes
from models.learning.truth import best_constant, truth_of
from models.measures.pinball import pinball
from models.problem import as_answers
from models.problems.regression import Regression

RANDOM = np.random.default_rng(3)
ROWS = 40
LOSSES: tuple[Loss, ...] = ("logistic", "focal", "softmax", "squared", "absolute")
Floats = NDArray[np.float64]


def some(loss: Loss) -> tuple[Floats, Floats]:
    """Margins and targets, soft ones among them."""
    if loss == "softmax":
        return RANDOM.normal(0, 2, (ROWS, 3)), RANDOM.dirichlet(np.ones(3), ROWS)
    targets = RANDOM.random((ROWS, 1))
    targets[::2] = targets[::2].round()
    return RANDOM.normal(0, 2, (ROWS, 1)), targets


@pytest.mark.parametrize("loss", LOSSES)
def test_slope_and_curvature_are_those_of_the_loss(loss: Loss) -> None:
    margins, targets = some(loss)
    _, slope, curvature = slopes(loss, margins, targets)
    for row in range(ROWS):
        one = margins[row]

        def lost(value: Floats, row: int = row) -> float:
            return float(slopes(loss, value[None], targets[row : row + 1])[0][0])

        def sloped(value: Floats, row: int = row) -> Floats:
            return slopes(loss, value[None], targets[row : row + 1])[1][0]

        np.testing.assert_allclose(slope[row], approx_fprime(one, lost), atol=1e-5)
        bend = np.diagonal(np.atleast_2d(approx_fprime(one, sloped)))
        np.testing.assert_allclose(curvature[row], np.maximum(bend, 1e-6), atol=1e-4)


LEVELS = (0.1, 0.5, 0.95)


def test_the_slope_of_quantiles_is_that_of_their_loss_which_is_pinball_but_for_its_rounding() -> None:
    margins, targets = RANDOM.normal(0, 2, (ROWS, 3)), np.tile(RANDOM.normal(0, 2, (ROWS, 1)), 3)
    losses, slope, curvature = slopes("pinball", margins, targets, LEVELS)
    np.testing.assert_allclose(losses, 3 * pinball(targets[:, 0], margins, LEVELS), atol=3 * ROUNDED)
    for row in range(ROWS):

        def lost(value: Floats, row: int = row) -> float:
            return float(slopes("pinball", value[None], targets[row : row + 1], LEVELS)[0][0])

        np.testing.assert_allclose(slope[row], approx_fprime(margins[row], lost), atol=1e-5)
    assert curvature.shape == slope.shape
    assert (curvature > 0).all()
    scores = torch.tensor(margins, dtype=torch.float32)
    weights = RANDOM.random(ROWS) + 0.5
    found = batch_loss("pinball", scores, batch(targets, weights, np.zeros(ROWS, np.int64)), LEVELS)
    exact = 3 * pinball(targets[:, 0], margins, LEVELS)
    assert float(found) == pytest.approx(np.average(exact, weights=weights), rel=1e-5)


def test_the_slope_of_lists_is_that_of_their_loss() -> None:
    margins, lists = RANDOM.normal(0, 2, (ROWS, 1)), np.sort(RANDOM.integers(0, 6, ROWS))
    targets = RANDOM.random((ROWS, 1)) * (lists != 2)[:, None]  # a list without anything relevant

    def lost(flat: Floats) -> float:
        return float(listwise(flat[:, None], targets, lists)[0].sum())

    slope = listwise(margins, targets, lists)[1]
    np.testing.assert_allclose(slope[:, 0], approx_fprime(margins[:, 0], lost), atol=1e-5)
    assert np.abs(slope[lists == 2]).max() == 0


def batch(targets: Floats, weights: Floats, lists: NDArray[np.int64]) -> Batch:
    floats = (torch.tensor(part, dtype=torch.float32) for part in (targets, weights))
    empty = torch.zeros((len(targets), 0))
    return Batch(empty.long(), empty, (), *floats, torch.tensor(lists))


@pytest.mark.parametrize("loss", LOSSES)
def test_torch_loses_what_numpy_does(loss: Loss) -> None:
    margins, targets = some(loss)
    weights = RANDOM.random(ROWS) + 0.5
    losses = slopes(loss, margins, targets)[0]
    expected = {
        "squared": 2 * losses,
        "absolute": np.abs(margins - targets)[:, 0],  # here without the rounding
    }.get(loss, losses)
    scores = torch.tensor(margins, dtype=torch.float32)
    found = float(batch_loss(loss, scores, batch(targets, weights, np.zeros(ROWS, np.int64))))
    assert found == pytest.approx(np.average(expected, weights=weights), rel=1e-5)


def test_torch_loses_on_lists_what_numpy_does() -> None:
    margins, lists = RANDOM.normal(0, 2, (ROWS, 1)), RANDOM.integers(0, 6, ROWS)
    targets = RANDOM.random((ROWS, 1))
    expected = listwise(margins, targets, lists)[0].sum() / len(np.unique(lists))
    scores = torch.tensor(margins, dtype=torch.float32)
    found = float(batch_loss("listwise", scores, batch(targets, np.ones(ROWS), lists)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_batch_holds_whole_lists_and_an_epoch_every_row() -> None:
    lists = RANDOM.integers(0, 50, 400)
    rows = batch(np.ones((400, 1)), np.ones(400), np.unique(lists, return_inverse=True)[1])
    torch.manual_seed(1)
    found, seen, orders = batches(Lesson(rows, "listwise", lambda network: 0.0), 64), [], []
    for _ in range(2):
        epoch: list[int] = []
        while len(epoch) < 400:
            part = next(found).numpy()
            assert not set(lists[part]) & set(np.delete(lists, part))
            assert len(part) < 64 + np.bincount(lists).max()
            epoch += part.tolist()
        seen.append(sorted(epoch))
        orders.append(epoch)
    assert seen == [list(range(400))] * 2
    assert orders[0] != orders[1]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "quantiles"])
def test_no_constant_loses_less_than_the_best(kind: str, tasks: dict[str, Any]) -> None:
    task = tasks[kind]
    weights = RANDOM.random(len(task.train))
    truth = truth_of(Job(task.problem, task.columns, replace(task.train, weights=weights), task.validation))
    best = best_constant(truth)
    assert np.isfinite(best).all()

    def lost(margins: Floats) -> float:
        said = np.tile(margins, (len(task.train), 1))
        return float(slopes(truth.loss, said, truth.targets, truth.levels)[0] @ weights)

    assert all(lost(best) <= lost(best + step) + 0.01 for step in RANDOM.normal(0, 0.3, (50, len(best))))


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_the_unit_of_a_label_does_not_matter(metric: str, tasks: dict[str, Any]) -> None:
    task = tasks["regression"]
    job = Job(Regression(metric), task.columns, task.train, task.validation)
    turned = replace(job, train=replace(task.train, labels=1e9 - 1e6 * task.train.labels))
    truth, other = truth_of(job), truth_of(turned)
    np.testing.assert_allclose(truth.targets, -other.targets, atol=1e-2 if metric == "mae" else 1e-9)
    np.testing.assert_allclose(other.unit.of(other.targets)[:, 0], turned.train.labels)
    assert truth.loss == ("absolute" if metric == "mae" else "squared")


def test_a_mean_loss_weighs_the_rows(tasks: dict[str, Any]) -> None:
    task = tasks["binary"]
    rows, margins = task.later, RANDOM.normal(0, 1, (len(task.later), 1))
    few = np.arange(len(rows)) < 100
    weighed = mean_loss(task.problem, replace(rows, weights=few.astype(np.float64)), margins)
    assert weighed == pytest.approx(mean_loss(task.problem, rows.at(few), margins[few]))
    assert weighed == pytest.approx(
        task.problem.losses(rows.at(few), as_answers("sigmoid", margins[few])).mean()
    )


def test_least_finds_the_bottom_within_bounds() -> None:
    design = RANDOM.normal(0, 1, (500, 2))
    targets = design @ np.array([[2.0], [-1.0]])
    truth = Truth("squared", targets, np.ones(500), Unit())

    def found(bounds: list[tuple[float | None, float | None]], penalty: float) -> Floats:
        return least(
            truth,
            lambda weights: design @ weights[:, None],
            lambda slope: (design.T @ slope)[:, 0],
            np.zeros(2),
            np.full(2, penalty),
            100,
            bounds,
        )[0]

    np.testing.assert_allclose(found([(None, None)] * 2, 0.0), [2, -1], atol=1e-4)
    assert found([(0, None)] * 2, 0.0)[1] == 0
    ridge = np.linalg.solve(design.T @ design + 50 * np.eye(2), design.T @ targets)[:, 0]
    np.testing.assert_allclose(found([(None, None)] * 2, 50.0), ridge, atol=1e-4)
