"""Precision at a recall: what a plain search over thresholds finds, with ties, draws and no positives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.spec import Spec
from models.measures.intervals import drawn_blocks, intervals
from models.measures.recall import drawn_precision, precision_at_recall
from models.problem import problem_of
from models.problems.binary import Binary
from models.rows import Rows
from tests.models.textual import frame, rows_of


def searched(labels: np.ndarray, chances: np.ndarray, recall: float) -> float:
    """The precision at the highest threshold that finds enough."""
    for threshold in np.unique(chances)[::-1]:
        said = chances >= threshold
        if labels[said].sum() >= recall * labels.sum() - 1e-9:
            return float(labels[said].mean())
    raise AssertionError("the lowest threshold finds all")


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: any(positive for positive, _ in rows)
    ),
    st.sampled_from([0.1, 0.5, 0.8, 1.0]),
)
def test_it_is_that_of_the_highest_threshold_that_finds_enough(
    rows: list[tuple[bool, int]], recall: float
) -> None:
    labels = np.array([positive for positive, _ in rows], np.float64)
    chances = np.array([chance for _, chance in rows]) / 6
    assert precision_at_recall(labels, chances, recall) == pytest.approx(searched(labels, chances, recall))


def test_a_draw_counts_a_block_as_often_as_it_has_it() -> None:
    random = np.random.default_rng(0)
    labels, chances = (random.random(60) < 0.4).astype(float), random.random(60).round(1)
    block, weights = np.arange(60) // 20, np.array([[1, 1, 1], [2, 0, 1]])
    found = drawn_precision(labels, chances, 0.8, block, weights)
    again = np.concatenate([np.arange(20), np.arange(20), np.arange(40, 60)])
    assert found.tolist() == pytest.approx(
        [searched(labels, chances, 0.8), searched(labels[again], chances[again], 0.8)]
    )


def test_without_positives_there_is_none() -> None:
    assert np.isnan(precision_at_recall(np.zeros(3), np.array([0.1, 0.2, 0.3]), 0.8))


def test_a_spec_that_asks_for_a_recall_has_it_measured_with_an_interval(spec: Spec) -> None:
    asked = spec.model_copy(update={"objective": spec.objective.model_copy(update={"recall": 0.8})})
    problem, rows = problem_of(asked), rows_of("binary", frame(400))
    answers = np.random.default_rng(0).random(400) * 0.5 + 0.4 * rows.labels
    value = problem.measures(rows, answers)["precision_at_recall"]
    found = intervals(problem, rows, answers, drawn_blocks(rows, spec), 0.95)["precision_at_recall"]
    assert found.value == value
    assert found.low < value < found.high
    assert "precision_at_recall" not in Binary().measures(rows, answers)
    one = Rows(rows.frame, np.zeros(400), rows.times)
    assert np.isnan(problem.measures(one, answers)["precision_at_recall"])
