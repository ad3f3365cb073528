"""What each kind of problem measures, against scikit-learn and against what can be said by hand."""

from datetime import UTC, datetime
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn import metrics

from core.errors import PerennialError
from core.learning import Outcome
from core.spec import Spec
from models.problem import Problem, as_answers, problem_of, relative_loss
from models.problems.binary import Binary
from models.problems.multiclass import Multiclass
from models.problems.quantiles import Quantiles
from models.problems.ranking import Ranking
from models.problems.regression import Regression
from models.rows import Rows

Floats = NDArray[np.float64]
NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
RANDOM = np.random.default_rng(5)


def rows(labels: object, groups: object = None) -> Rows:
    values = np.asarray(labels, np.float64)
    frame = pl.DataFrame({"x": values})
    times = pl.Series([NOON] * len(values))
    return Rows(frame, values, times, None if groups is None else np.asarray(groups, np.int64))


def probabilities(count: int, classes: int = 3) -> Floats:
    return np.asarray(RANDOM.dirichlet(np.ones(classes), count), np.float64)


def test_binary_losses_are_those_of_scikit_learn() -> None:
    labels, answers = RANDOM.integers(0, 2, 500), RANDOM.random(500)
    for metric, reference in (("log_loss", metrics.log_loss), ("brier", metrics.brier_score_loss)):
        problem = Binary(metric)
        assert problem.losses(rows(labels), answers).mean() == pytest.approx(reference(labels, answers))
        assert problem.measures(rows(labels), answers)["loss"] == pytest.approx(reference(labels, answers))


def test_deciding_by_the_threshold_of_the_costs_is_the_cheapest() -> None:
    answers = RANDOM.random(20_000)
    labels = (RANDOM.random(20_000) < answers).astype(np.float64)  # so the answers are calibrated
    costs = {"missed": 5.0, "false_alarm": 2.0}
    found = Binary(costs=costs).measures(rows(labels), answers)["cost"]

    def cost(threshold: float) -> float:
        said = answers >= threshold
        return float(np.mean(5.0 * (~said & (labels > 0)) + 2.0 * (said & (labels == 0))))

    assert found == pytest.approx(cost(2 / 7))
    assert all(found <= cost(threshold) + 0.01 for threshold in np.linspace(0, 1, 21))


def test_multiclass_measures_are_those_of_scikit_learn() -> None:
    labels, answers = RANDOM.integers(0, 3, 400), probabilities(400)
    problem = Multiclass("log_loss", ("a", "b", "c"))
    found = problem.measures(rows(labels), answers)
    assert found["loss"] == found["log_loss"] == pytest.approx(metrics.log_loss(labels, answers))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers.argmax(1)))
    balanced = metrics.balanced_accuracy_score(labels, answers.argmax(1))
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["brier"] == pytest.approx(np.mean(((answers - np.eye(3)[labels]) ** 2).sum(1)))


def test_a_class_is_said_where_it_costs_least() -> None:
    costs = {"a": {"b": 10.0}, "b": {"a": 1.0}}  # taking a for b is the dear mistake
    answers = np.array([[0.2, 0.8], [0.05, 0.95]])
    found = Multiclass("log_loss", ("a", "b"), costs).parts(rows([1, 1]), answers)
    assert found["cost"].tolist() == [1.0, 0.0]
    assert found["accuracy"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("metric", ["rmse", "mae"])
def test_the_best_constant_of_a_regression_has_a_loss_of_one(metric: str) -> None:
    labels = RANDOM.lognormal(3, 1, 300)
    problem, known = Regression(metric), rows(labels)
    constant = np.broadcast_to(problem.constant(known), labels.shape)
    assert problem.losses(known, constant).mean() == pytest.approx(1)
    assert problem.losses(known, labels).mean() == 0
    off = problem.measures(known, labels + 2)
    assert (off["rmse"], off["mae"], off["bias"]) == pytest.approx((2, 2, 2))
    if metric == "rmse":
        noisy = labels + RANDOM.normal(0, 5, 300)
        assert problem.losses(known, noisy).mean() == pytest.approx(1 - metrics.r2_score(labels, noisy))


def test_the_loss_of_a_regression_has_no_unit() -> None:
    labels, answers = RANDOM.normal(0, 1, 200), RANDOM.normal(0, 1, 200)
    for problem in (Regression("rmse"), Regression("mae")):
        metres = problem.losses(rows(labels), answers)
        np.testing.assert_allclose(problem.losses(rows(labels * 1e6 + 7), answers * 1e6 + 7), metres)


def test_costs_of_a_regression_know_the_side() -> None:
    problem = Regression(costs={"under": 3.0, "over": 1.0})
    assert problem.parts(rows([10.0, 10.0]), np.array([8.0, 12.0]))["cost"].tolist() == [6.0, 2.0]


@given(st.integers(0, 1_000), st.sampled_from([(0.5,), (0.9,), (0.1, 0.9), (0.05, 0.5, 0.6, 0.99)]))
def test_quantile_losses_are_those_of_scikit_learn(seed: int, levels: tuple[float, ...]) -> None:
    random, problem = np.random.default_rng(seed), Quantiles(levels)
    labels = random.normal(0, 3, 60).round(1)  # some of them at a quantile
    answers = np.sort(random.normal(0, 3, (60, len(levels))).round(1), axis=1)
    by_level = [
        metrics.mean_pinball_loss(labels, column, alpha=level)
        for column, level in zip(answers.T, levels, strict=True)
    ]
    found = problem.measures(rows(labels), answers)
    assert found["pinball"] == pytest.approx(np.mean(by_level))
    covered = labels <= answers[:, -1]
    if len(levels) > 1:
        covered &= labels >= answers[:, 0]
    assert found["coverage"] == pytest.approx(covered.mean())
    assert found["nominal"] == pytest.approx(levels[-1] - (levels[0] if len(levels) > 1 else 0))
    assert ("mae" in found) == ("bias" in found) == (0.5 in levels)
    assert ("width" in found) == (len(levels) > 1)


def test_the_loss_of_quantiles_has_no_unit_and_no_constant_has_less_than_one() -> None:
    labels, problem = RANDOM.lognormal(0, 1, 400), Quantiles((0.1, 0.5, 0.9))
    answers = np.sort(RANDOM.lognormal(0, 1, (400, 3)), axis=1)
    small = problem.losses(rows(labels), answers)
    np.testing.assert_allclose(problem.losses(rows(labels * 1e6 + 7), answers * 1e6 + 7), small)
    for _ in range(50):
        constant = np.sort(RANDOM.choice(labels, 3))
        assert problem.losses(rows(labels), np.tile(constant, (400, 1))).mean() >= 1 - 1e-12


def test_quantiles_are_off_by_the_share_of_labels_below_them() -> None:
    labels, problem = RANDOM.normal(0, 1, 20_000), Quantiles((0.1, 0.5, 0.9))
    true = np.tile(norm.ppf([0.1, 0.5, 0.9]), (20_000, 1))
    assert np.abs(problem.off(rows(labels), true).mean(axis=0)).max() < 0.01
    narrow = problem.off(rows(labels), 0.5 * true).mean(axis=0)
    assert narrow == pytest.approx([norm.cdf(-0.64) - 0.1, 0, norm.cdf(0.64) - 0.9], abs=0.015)


def test_quantiles_that_cross_or_lie_far_out_are_no_answers() -> None:
    problem, known = Quantiles((0.1, 0.9)), rows([0.0, 10.0, 5.0])
    sound = np.array([[1.0, 2.0], [3.0, 3.0], [-9.0, 19.0]])
    assert problem.fault(known, sound) is None
    assert problem.fault(known, sound[:, ::-1]) == "2 of 3 rows have quantiles that cross"
    assert str(problem.fault(known, sound + np.array([0, 5]))).startswith(
        "1 of 3 rows have quantiles far from all"
    )
    assert str(problem.fault(known, sound * np.nan)).startswith("3 of 3")


@given(st.integers(0, 1_000), st.integers(1, 12), st.booleans())
def test_ndcg_is_that_of_scikit_learn_ties_included(seed: int, cutoff: int, tied: bool) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 15, 6)
    groups = random.permutation(np.repeat(np.arange(6), sizes))  # lists need not lie together
    labels = random.integers(0, 4, len(groups)).astype(np.float64)
    answers = random.integers(0, 4, len(groups)).astype(float) if tied else random.normal(size=len(groups))
    expected = [
        metrics.ndcg_score([np.exp2(labels[mask]) - 1], [answers[mask]], k=cutoff)
        for mask in (groups == group for group in range(6))
        if labels[mask].any()
    ]
    found = Ranking(cutoff).parts(rows(labels, groups), answers)["ndcg"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(0, 1_000), st.integers(1, 6))
def test_map_is_the_mean_over_all_orders_of_ties(seed: int, cutoff: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(3), random.integers(1, 6, 3)))
    labels = random.integers(0, 3, len(groups)).astype(np.float64)
    answers = random.integers(0, 3, len(groups)).astype(np.float64)
    expected = []
    for mask in (groups == group for group in np.unique(groups)):
        hits, scores = labels[mask] > 0, answers[mask]
        if hits.any():
            orders = {
                tuple(sorted(each, key=lambda k: -scores[k])) for each in permutations(range(len(hits)))
            }
            expected.append(np.mean([_precision(hits[list(order)], cutoff) for order in orders]))
    found = Ranking(cutoff).parts(rows(labels, groups), answers)["map"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def _precision(hits: NDArray[np.bool_], cutoff: int) -> float:
    """The average precision of hits in order, at a cutoff."""
    places = np.flatnonzero(hits[:cutoff]) + 1
    return float((np.arange(1, len(places) + 1) / places).sum() / min(hits.sum(), cutoff))


def test_lists_without_a_relevant_row_are_left_out() -> None:
    known = rows([0, 0, 1, 0, 2], [7, 7, 3, 3, 5])
    problem = Ranking()
    assert problem.units(known).tolist() == [2, 4]
    assert len(problem.losses(known, np.zeros(5))) == 2
    assert problem.measures(known, np.array([0.0, 0, 1, 0, 1]))["ndcg"] == 1.0
    with pytest.raises(PerennialError, match=r"outcome\.group"):
        problem.units(rows([1.0, 0.0]))


PROBLEMS: dict[str, tuple[Problem, Rows, Floats]] = {
    "binary": (Binary(), rows([0, 1, 1, 0]), np.array([0.2, 0.7, 0.6, 0.4])),
    "multiclass": (Multiclass("log_loss", ("a", "b")), rows([0, 1, 1, 0]), probabilities(4, 2)),
    "regression": (Regression(), rows([1.0, 3.0, 2.0, 9.0]), np.array([1.0, 2.0, 2.0, 5.0])),
    "quantiles": (
        Quantiles((0.25, 0.75)),
        rows([1.0, 3.0, 2.0, 9.0]),
        np.array([[0.5, 1.5], [2.0, 4.0], [1.0, 2.5], [5.0, 8.0]]),
    ),
    "ranking": (Ranking(), rows([0, 1, 0, 2], [1, 1, 2, 2]), np.array([0.1, 0.3, -1.0, 2.0])),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_keeps_the_same_promises(name: str) -> None:
    problem, known, answers = PROBLEMS[name]
    units = problem.units(known)
    parts = problem.parts(known, answers)
    assert all(part.shape == units.shape for part in parts.values())
    assert problem.losses(known, answers).shape == units.shape
    assert problem.measures(known, answers)["loss"] == pytest.approx(parts["loss"].mean())
    assert problem.measures(known, answers)["rows"] == 4
    assert problem.fault(known, answers) is None
    constant = np.broadcast_to(problem.constant(known), answers.shape)
    assert problem.fault(known, constant) is None
    assert relative_loss(problem, known, constant) == pytest.approx(1)
    broken = answers.copy()
    broken[1] = np.nan
    assert str(problem.fault(known, broken)).startswith("1 of 4")
    assert problem.lack(known) is None
    assert problem.lack(known.at(known.labels == known.labels[0])) is not None
    margins = RANDOM.normal(size=(4, len(problem.outputs)))
    assert as_answers(problem.link, margins).shape == answers.shape


def test_a_spec_frames_its_problem(spec: Spec) -> None:
    framed = spec.model_copy(
        update={
            "problem": "multiclass",
            "outcome": Outcome.model_validate(
                {"label": "x", "known_at": "y", "maturity": "1d", "classes": ["red", "blue"]}
            ),
        }
    )
    problem = problem_of(framed)
    assert (problem.kind, problem.outputs, problem.metric) == ("multiclass", ("red", "blue"), "log_loss")
    assert problem_of(spec).output == "probability"


def test_labels_become_numbers_as_the_outcome_says() -> None:
    times = [NOON] * 3
    outcome = Outcome.model_validate(
        {"label": "x", "known_at": "y", "maturity": "1d", "classes": ["red", "blue"]}
    )
    frame = pl.DataFrame({"event_time": times, "label": ["blue", "red", "blue"]})
    assert Rows.of(frame, outcome).labels.tolist() == [1, 0, 1]
    with pytest.raises(PerennialError, match=r"are none of outcome\.classes .*: add them"):
        Rows.of(frame.with_columns(label=pl.lit("green")), outcome)
    with pytest.raises(PerennialError, match="3 of 3 labels are not finite"):
        Rows.of(frame.with_columns(label=pl.lit(float("inf"))))


def test_lists_are_told_apart_by_all_their_columns_and_missing_ones_are_alike() -> None:
    outcome = Outcome.model_validate(
        {"label": "x", "known_at": "y", "maturity": "1d", "group": ["user", "day"]}
    )
    frame = pl.DataFrame(
        {
            "event_time": [NOON] * 5,
            "label": [0, 1, 0, 1, 0],
            "user": ["a", "a", "b", None, None],
            "day": [1, 2, 1, 1, 1],
        }
    )
    found = Rows.of(frame, outcome)
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1, 2, 3, 3]
    assert found.at(np.array([4, 2])).groups.tolist() == [3, 2]  # type: ignore[union-attr]
