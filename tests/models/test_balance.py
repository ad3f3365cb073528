"""Imbalance and age: what is done to the rows leaves probabilities that mean what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from core.learning import Training
from models.balance import MOST, Balanced, balanced
from models.family import Job, family
from models.problem import Problem, as_answers
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.regression import Regression
from models.rows import Columns, Rows

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
RARE = Multiclass("log_loss", ("common", "some", "rare"))
Floats = NDArray[np.float64]


def rules(**changes: Any) -> Training:
    return Training.model_validate(changes)


def known(problem: Problem, count: int = 12_000, seed: int = 5) -> tuple[Rows, Floats]:
    """Rows whose labels are drawn from probabilities that are known, and those: a class in 25 is rare."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, count)
    if problem.kind == "binary":
        truth = expit(1.2 * x - 4)
        labels = (random.random(count) < truth).astype(np.float64)
    else:
        truth = softmax(np.column_stack([0 * x, 0.8 * x - 1, 1.2 * x - 4]), axis=1)
        labels = (random.random(count)[:, None] > truth.cumsum(1)).sum(1).astype(np.float64)
    frame = pl.DataFrame({"x": x.astype(np.float32)})
    times = pl.Series([NOON + timedelta(minutes=minute) for minute in range(count)])
    return Rows(frame, labels, times), truth


@pytest.mark.slow
@pytest.mark.parametrize("way", ["weights", "sampling"])
@pytest.mark.parametrize("name", ["linear", "lightgbm"])
@pytest.mark.parametrize("problem", [Binary(), RARE], ids=["binary", "multiclass"])
def test_corrected_probabilities_are_the_true_ones(way: str, name: str, problem: Problem) -> None:
    rows, _ = known(problem)
    done = balanced(rows.at(slice(0, 9_000)), rows.at(slice(9_000, 12_000)), problem, rules(imbalance=way))
    model = family(name).fit(Job(problem, Columns(("x",), ()), done.train, done.validation, seed=1))
    later, said = known(problem, seed=6)
    margins = model.margins(later.frame)
    found = as_answers(problem.link, margins + np.array(done.offset))
    rare = (found if problem.kind == "binary" else found[:, 2]).mean()
    expected = (said if problem.kind == "binary" else said[:, 2]).mean()
    assert rare == pytest.approx(expected, rel=0.2)
    assert np.abs(found - said).mean() < 0.03
    plain = as_answers(problem.link, margins)
    assert (
        plain if problem.kind == "binary" else plain[:, 2]
    ).mean() > 2 * expected  # what there was to correct


def test_classes_weigh_alike_and_validation_rows_as_their_class() -> None:
    rows, _ = known(RARE)
    done = balanced(rows, rows.at(slice(0, 500)), RARE, rules(imbalance="weights"))
    assert done.train.weights is not None
    sums = np.bincount(rows.labels.astype(int), done.train.weights)
    np.testing.assert_allclose(sums, len(rows) / 3)
    np.testing.assert_array_equal(done.validation.weights, done.train.weights[:500])


def test_sampling_keeps_every_row_of_the_rarest_class() -> None:
    rows, _ = known(RARE)
    done = balanced(rows, rows, RARE, rules(imbalance="sampling", seed=3))
    before, after = (np.bincount(part.labels.astype(int)) for part in (rows, done.train))
    assert after[2] == before[2] == before.min()
    np.testing.assert_allclose(after[:2], np.minimum(before[:2], MOST * before[2]), rtol=0.1)
    again = balanced(rows, rows, RARE, rules(imbalance="sampling", seed=3))
    assert done.train.frame.equals(again.train.frame)
    assert (done.train.times.diff().drop_nulls() > timedelta(0)).all()


@pytest.mark.parametrize("way", ["weights", "sampling"])
def test_a_class_without_rows_is_left_alone(way: str) -> None:
    rows, _ = known(RARE)
    some = rows.at(rows.labels < 2)
    done = balanced(some, some, RARE, rules(imbalance=way))
    assert done.offset[2] == 0
    assert np.isfinite(done.offset).all()


@pytest.mark.parametrize("imbalance", ["none", "weights"])
def test_a_row_weighs_half_for_each_half_life_of_age(imbalance: str) -> None:
    rows, _ = known(Binary(), 2_881)
    done = balanced(rows, rows, Binary(), rules(half_life="1d", imbalance=imbalance))
    weights = done.train.weights
    assert weights is not None
    classes = balanced(rows, rows, Binary(), rules(imbalance=imbalance)).train.weights
    ages = weights / (1.0 if classes is None else classes)
    assert ages[-1] == 1
    assert ages[-1 - 24 * 60] == pytest.approx(0.5)
    assert ages[0] == pytest.approx(0.25)


def test_nothing_is_done_where_nothing_is_asked() -> None:
    rows, _ = known(Binary(), 100)
    for problem in (Binary(), Regression()):
        done = balanced(rows, rows, problem, rules())
        assert done == Balanced(rows, rows, (0.0,))
        assert replace(done.train, weights=None) == rows
