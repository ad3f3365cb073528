"""Curves against scikit-learn's, and at the corners where curves go wrong."""

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from core.errors import PerennialError
from models.measures.curves import (
    CLASSES,
    POINTS,
    agreement,
    confusion,
    confusion_at,
    precision_recall,
    roc,
)

Drawn = tuple[NDArray[Any], NDArray[Any]]


@st.composite
def scored(draw: st.DrawFn) -> Drawn:
    """Labels of both classes, and scores of which many are equal."""
    size = draw(st.integers(2, 60))
    labels = draw(arrays.arrays(np.int64, size, elements=st.integers(0, 1)))
    labels[:2] = 0, 1
    return labels, draw(arrays.arrays(np.float64, size, elements=st.sampled_from([-3.0, 0.0, 0.1, 0.5, 9e9])))


@pytest.fixture(scope="module")
def many() -> Drawn:
    """A hundred thousand rows, hardly two of a score."""
    random = np.random.default_rng(3)
    labels = random.random(100_000) < 0.1
    return labels.astype(int), random.normal(labels, 1.0)


@given(scored())
def test_roc_is_that_of_scikit_learn_with_ties(rows: Drawn) -> None:
    found, peer = roc(*rows), metrics.roc_curve(*rows, drop_intermediate=False)
    for ours, theirs in zip(
        (found.false_positive_rate, found.true_positive_rate, found.threshold), peer, strict=True
    ):
        np.testing.assert_allclose(ours, theirs)


@given(scored())
def test_precision_and_recall_are_those_of_scikit_learn_with_ties(rows: Drawn) -> None:
    found = precision_recall(*rows)
    precision, recall, threshold = metrics.precision_recall_curve(*rows)
    np.testing.assert_allclose(found.precision, precision[-2::-1])
    np.testing.assert_allclose(found.recall, recall[-2::-1])
    np.testing.assert_allclose(found.threshold, threshold[::-1])


def test_the_order_of_equal_rows_does_not_matter(many: Drawn) -> None:
    labels, scores = many[0], many[1].round(1)
    turned = roc(labels[::-1], scores[::-1])
    np.testing.assert_array_equal(roc(labels, scores).true_positive_rate, turned.true_positive_rate)


def test_thin_curves_keep_their_ends_and_their_area(many: Drawn) -> None:
    labels, scores = many
    found, drawn = roc(labels, scores), precision_recall(labels, scores)
    for curve in (found.threshold, drawn.threshold):
        assert POINTS / 2 < len(curve) <= POINTS
    assert (found.false_positive_rate[0], found.true_positive_rate[0]) == (0, 0)
    assert (found.false_positive_rate[-1], found.true_positive_rate[-1]) == (1, 1)
    area = np.trapezoid(found.true_positive_rate, found.false_positive_rate)
    assert area == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-4)
    assert (drawn.recall[-1], drawn.precision[-1]) == (1, labels.mean())
    assert drawn.threshold[0] == scores.max()


def test_every_point_of_a_thin_curve_was_measured(many: Drawn) -> None:
    labels, scores = many
    found = roc(labels, scores)
    for place in (1, len(found.threshold) // 2, -2):
        called = scores >= found.threshold[place]
        assert found.true_positive_rate[place] == (called & (labels == 1)).sum() / labels.sum()


@pytest.mark.parametrize("labels", [np.zeros(3), np.ones(3)])
def test_one_class_has_no_roc(labels: NDArray[Any]) -> None:
    with pytest.raises(PerennialError, match="both classes"):
        roc(labels, np.array([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("draw", [roc, precision_recall, agreement])
def test_what_is_not_finite_cannot_be_drawn(draw: Any) -> None:
    with pytest.raises(PerennialError, match=r"1 of 2 .* not finite"):
        draw(np.array([0.0, 1.0]), np.array([0.5, np.nan]))
    with pytest.raises(PerennialError, match=r"no .* to draw"):
        draw(np.array([]), np.array([]))


def test_a_row_on_the_threshold_is_called_the_second_class() -> None:
    found = confusion_at(np.array([0, 1]), np.array([0.3, 0.3]), 0.3, ("on time", "late"))
    assert found.classes == ("on time", "late")
    assert found.counts.tolist() == [[0, 1], [0, 1]]


@given(st.integers(2, 80), st.integers(0, 2**32 - 1))
def test_no_row_is_lost_among_many_classes(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    actual, called = random.integers(size, size=500), random.integers(size, size=500)
    found = confusion(actual, called, [f"class {each}" for each in range(size)])
    assert found.counts.sum() == 500
    assert len(found.classes) == len(found.counts) == min(size, CLASSES)
    for place, name in enumerate(found.classes):
        if name != "other":
            position = int(name.removeprefix("class "))
            assert found.counts[place].sum() == (actual == position).sum()
            assert found.counts[:, place].sum() == (called == position).sum()


def test_the_most_frequent_of_many_classes_are_kept() -> None:
    actual = np.repeat(np.arange(100), np.arange(100))
    found = confusion(actual, actual, [str(each) for each in range(100)])
    assert found.classes == (*(str(each) for each in range(71, 100)), "other")
    assert found.counts[-1, -1] == sum(range(71))


def test_a_position_beyond_the_classes_is_named() -> None:
    with pytest.raises(PerennialError, match="no class has the position 2: there are 2"):
        confusion(np.array([0]), np.array([2]), ("a", "b"))


def test_agreement_shows_where_a_model_is_off() -> None:
    predicted = np.repeat([1.0, 2.0], 500)
    actual = predicted + np.tile([-1.0, 3.0], 500)
    found = agreement(actual, predicted)
    assert found.predicted.tolist() == [1.0, 2.0]
    assert found.actual.tolist() == [2.0, 3.0]
    assert (found.low.tolist(), found.high.tolist()) == ([0.0, 1.0], [4.0, 5.0])
    assert (found.residuals[0], found.residuals[-1]) == (-1.0, 3.0)
