"""Calibration finds what is true, keeps the order of the rows, and is sane where nothing can be learnt."""

import json
import logging
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import norm

from core.errors import PerennialError
from core.plain import plain
from models.calibration.choose import Calibration, Link, fit_calibration, sigmoid, uncalibrated
from models.calibration.shift import fit_shift
from models.measures.probabilities import auc, log_loss

Floats = NDArray[np.float64]
NO_OFFSET = (0.0,)

numbers = st.floats(-1e6, 1e6, allow_nan=False)
slopes = st.floats(1e-3, 1e3)


@st.composite
def calibrations(draw: st.DrawFn) -> Calibration:
    """Any calibration of any link."""
    link = draw(st.sampled_from(["sigmoid", "softmax", "identity", "sorted"]))
    width = draw(st.integers(2, 4)) if link in ("softmax", "sorted") else 1
    offset, intercept = (tuple(draw(st.lists(numbers, min_size=width, max_size=width))) for _ in range(2))
    slope = tuple(draw(st.lists(slopes, min_size=width, max_size=width)))
    if link == "sorted":
        return Calibration("shift", link, offset, (1.0,) * width, intercept)
    if link == "softmax" or draw(st.booleans()):
        return Calibration("linear" if link == "identity" else "platt", link, offset, slope, intercept)
    steps = draw(st.lists(st.tuples(st.floats(1e-3, 9), st.floats(0.05, 10)), min_size=2, max_size=20))
    knots = draw(numbers) + np.cumsum([width for width, _ in steps])
    values = draw(numbers) + np.cumsum([width * slope for width, slope in steps])
    return Calibration(
        "isotonic", link, offset, slope, intercept, tuple(knots.tolist()), tuple(values.tolist())
    )


def drawn(truth: Callable[[Floats], Floats], rows: int, seed: int = 11) -> tuple[Floats, Floats]:
    """Margins [n, 1], and labels whose log-odds are the truth of them."""
    random = np.random.default_rng(seed)
    margins = random.normal(-1.0, 1.5, rows)
    return margins[:, None], (random.random(rows) < sigmoid(truth(margins))).astype(np.float64)


def choice(truth: Callable[[Floats], Floats], rows: int, seed: int = 11) -> Calibration:
    return fit_calibration(*drawn(truth, rows, seed), "sigmoid", NO_OFFSET)


def bent(margins: Floats) -> Floats:
    return np.where(margins < -1, margins, -1 + (margins + 1) / 4)


@given(calibrations())
def test_what_is_written_as_json_is_read_back(calibration: Calibration) -> None:
    assert Calibration.read(json.loads(json.dumps(plain(calibration)))) == calibration


@given(calibrations(), st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50))
def test_the_order_of_the_rows_is_kept(calibration: Calibration, margins: list[float]) -> None:
    rows = np.sort(margins)[:, None] + calibration.offset
    assert np.all(np.diff(calibration.scores(rows), axis=0) >= 0)


@given(calibrations(), st.integers(-10, 10))
def test_a_curve_is_one_line_on_either_side_of_a_knot(calibration: Calibration, ulps: int) -> None:
    curve = Calibration("isotonic", "identity", (0.0,), (1.0,), (0.0,), *_points(calibration))
    knots, values = np.array(curve.knots), np.array(curve.values)
    np.testing.assert_array_equal(curve.apply(knots[:, None]), values)
    beside = knots + ulps * np.spacing(knots)
    np.testing.assert_allclose(curve.apply(beside[:, None]), values, rtol=1e-9, atol=1e-7)
    beyond = np.array([[knots[0] - 3.0], [knots[-1] + 3.0]])
    assert curve.apply(beyond) == pytest.approx([values[0] - 3, values[-1] + 3])


def test_no_line_ends_above_the_start_of_the_next_by_its_last_bit() -> None:
    """A line from far below nought to just above it ends where float64 is finer than its sums."""
    random = np.random.default_rng(4)
    for _ in range(300):
        points = [np.array([-1, 1e-3, 1]) * random.uniform(0.5, 2, 3) for _ in range(2)]
        knots, values = (tuple(part.tolist()) for part in points)
        curve = Calibration("isotonic", "identity", (0.0,), (1.0,), (0.0,), knots, values)
        assert np.all(curve.apply(np.nextafter(knots, -np.inf)[:, None]) <= values)


def _points(calibration: Calibration) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (calibration.knots, calibration.values) if calibration.knots else ((-1.0, 2.0), (0.0, 1.0))


def test_right_margins_are_left_as_they_are() -> None:
    chosen = [choice(lambda margins: margins, 1_000, seed).method for seed in range(20)]
    assert chosen.count("none") >= 18  # each step up is a test at 5 %, and has to repay what it costs


@pytest.mark.parametrize(
    ("truth", "method", "slope", "intercept"),
    [
        (lambda margins: margins / 2, "temperature", 0.5, 0.0),
        (lambda margins: margins * 2, "temperature", 2.0, 0.0),
        (lambda margins: margins - 0.7, "platt", 1.0, -0.7),
        (lambda margins: 0.6 * margins - 1.2, "platt", 0.6, -1.2),
    ],
    ids=["overconfident", "timid", "shifted", "both"],
)
def test_the_scaling_that_made_the_labels_is_chosen_and_recovered(
    truth: Callable[[Floats], Floats], method: str, slope: float, intercept: float
) -> None:
    found = choice(truth, 20_000)
    assert found.method == method
    assert found.slope == pytest.approx((slope,), abs=0.1)
    assert found.intercept == pytest.approx((intercept,), abs=0.15)


def test_a_bent_truth_takes_many_rows_to_be_believed() -> None:
    assert choice(bent, 20_000).method == "isotonic"
    few = [choice(bent, 300, seed).method for seed in range(10)]
    assert few.count("isotonic") == 0


def test_isotonic_is_nearer_the_truth_than_any_scaling_and_as_good_at_ranking() -> None:
    found = choice(bent, 20_000)
    margins, labels = drawn(bent, 50_000, seed=5)
    truth, platt = sigmoid(bent(margins[:, 0])), Calibration("platt", "sigmoid", (0.0,), (0.55,), (-0.55,))
    answers = found.apply(margins)
    assert np.abs(answers - truth).mean() < 0.01 < np.abs(platt.apply(margins) - truth).mean()
    assert auc(labels, answers) == auc(labels, margins[:, 0])


def test_a_plateau_and_a_cliff_make_neither_ties_nor_jumps() -> None:
    margins, labels = drawn(lambda margins: np.where(margins < -1, -3.0, 2.0), 20_000)
    found = fit_calibration(margins, labels, "sigmoid", NO_OFFSET)
    assert found.method == "isotonic"
    rises = np.diff(found.values) / np.diff(found.knots)
    assert rises.min() >= 0.05 * (1 - 1e-6)
    assert rises.max() <= 10
    assert len(np.unique(found.apply(margins))) == len(np.unique(margins))
    assert np.abs(found.apply(margins) - sigmoid(np.where(margins < -1, -3.0, 2.0))[:, 0]).mean() < 0.03


@pytest.mark.parametrize("kept", [0.01, 0.2])
def test_the_offset_undoes_the_sampling_of_negatives(kept: float) -> None:
    """By Bayes, odds among the sampled rows are 1 / kept times the odds among all."""
    chances = np.array([0.001, 0.1, 0.5, 0.9])
    sampled = chances / (chances + kept * (1 - chances))
    margins = np.log(sampled / (1 - sampled))[:, None]
    found = uncalibrated("sigmoid", (float(np.log(kept)),)).apply(margins)
    np.testing.assert_allclose(found, chances, rtol=1e-12)


def test_the_offset_undoes_the_weights_of_classes() -> None:
    chances, weights = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05]]), np.array([1.0, 3.0, 9.0])
    margins = np.log(chances * weights)
    found = uncalibrated("softmax", tuple((-np.log(weights)).tolist())).apply(margins)
    np.testing.assert_allclose(found, chances, rtol=1e-12)


def test_an_offset_that_is_right_needs_no_calibration_besides() -> None:
    margins, labels = drawn(lambda margins: margins - 2.0, 10_000)
    assert fit_calibration(margins, labels, "sigmoid", (-2.0,)).method == "none"
    assert fit_calibration(margins, labels, "sigmoid", NO_OFFSET).method == "platt"


def classes(scale: Floats, shift: Floats, rows: int) -> tuple[Floats, Floats]:
    """Margins [n, 3], and classes drawn from the softmax of scale * margin + shift."""
    random = np.random.default_rng(3)
    margins = random.normal(0, 2, (rows, 3))
    edges = softmax(margins * scale + shift, axis=1).cumsum(axis=1)
    return margins, (edges < random.random((rows, 1))).sum(axis=1).astype(np.float64)


@pytest.mark.parametrize(
    ("scale", "shift", "method"),
    [
        ([1, 1, 1], [0, 0, 0], "none"),
        ([0.4] * 3, [0, 0, 0], "temperature"),
        ([1, 1, 1], [0, 0.5, -0.5], "shift"),
        ([1, 1, 0.5], [0, 1, 0], "platt"),
    ],
)
def test_softmax_margins(scale: list[float], shift: list[float], method: str) -> None:
    wanted, moved = np.array(scale), np.array(shift)
    found = fit_calibration(*classes(wanted, moved, 20_000), "softmax", (0.0,) * 3)
    assert found.method == method
    assert found.slope == pytest.approx(wanted, abs=0.06)
    assert np.diff(found.intercept) == pytest.approx(np.diff(moved), abs=0.15)
    assert found.apply(np.zeros((4, 3))).shape == (4, 3)


def test_classes_that_became_more_frequent_are_followed_by_few_rows() -> None:
    random = np.random.default_rng(5)
    margins = random.normal(0, 0.5, (1_500, 10))
    wanted = np.repeat([0.4, -0.4], 5)
    edges = softmax(margins + wanted, axis=1).cumsum(axis=1)
    labels = (edges < random.random((1_500, 1))).sum(axis=1).clip(max=9).astype(np.float64)
    found = fit_calibration(margins, labels, "softmax", (0.0,) * 10)
    assert found.method == "shift"
    assert found.intercept == pytest.approx(wanted, abs=0.3)


@pytest.mark.parametrize(
    ("truth", "method"),
    [
        (lambda x: x, "none"),
        (lambda x: 3 * x + 5, "linear"),
        (lambda x: np.where(x < 0, x, x / 5), "isotonic"),
    ],
    ids=["right", "scaled", "bent"],
)
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
def test_values(truth: Callable[[Floats], Floats], method: str, unit: float) -> None:
    random = np.random.default_rng(2)
    margins = random.normal(0, 1, 6_000)
    labels = truth(margins) + random.normal(0, 0.3, 6_000)
    found = fit_calibration(margins[:, None] * unit, labels * unit, "identity", NO_OFFSET)
    assert found.method == method
    error = found.apply(margins[:, None] * unit) / unit - truth(margins)
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_huge_labels_of_a_few_rows_do_not_hide_a_scaling() -> None:
    random = np.random.default_rng(2)
    margins = np.exp(random.normal(0, 3, 2_000))
    labels = 3 * margins + 5 + random.normal(0, 1, 2_000)
    found = fit_calibration(margins[:, None], labels, "identity", NO_OFFSET)
    assert (found.method, found.slope) == ("linear", pytest.approx((3,), rel=0.01))


@pytest.mark.parametrize("link", ["sigmoid", "identity"])
@pytest.mark.parametrize("huge", [1e6, 1e150, 1e300])
@pytest.mark.parametrize("place", [0, -1])
def test_one_margin_beyond_all_reason_breaks_nothing(link: Link, huge: float, place: int) -> None:
    margins, labels = drawn(lambda margins: margins / 2, 600)
    margins[place], labels[place] = huge, 0
    found = fit_calibration(margins, labels, link, NO_OFFSET)
    assert np.isfinite(found.apply(margins)).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_it_does_not_depend_on_the_unit_of_the_margins(scale: float) -> None:
    margins, labels = drawn(lambda margins: margins - 1, 2_000)
    found = fit_calibration(margins * scale + 3 * scale, labels, "sigmoid", NO_OFFSET)
    assert found.method == "platt"
    same = fit_calibration(margins + 3, labels, "sigmoid", NO_OFFSET)
    np.testing.assert_allclose(found.apply(margins * scale + 3 * scale), same.apply(margins + 3), rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_separable_classes_and_extreme_margins_stay_finite(scale: float) -> None:
    margins, _ = drawn(lambda margins: margins, 400)
    labels = (margins[:, 0] > -1).astype(np.float64)
    found = fit_calibration(margins * scale, labels, "sigmoid", NO_OFFSET)
    assert np.isfinite([*found.slope, *found.intercept, *found.values]).all()
    assert log_loss(labels, found.apply(margins * scale)) < 0.05


@pytest.mark.parametrize(
    ("margins", "labels", "why"),
    [
        (np.linspace(3, -3, 200), np.repeat([0, 1], 100), "positive slope"),
        (np.full(200, 0.7), np.tile([0, 1], 100), "all margins are the same"),
        (np.linspace(3, -3, 200), np.zeros(200), "all labels are the same"),
        (np.array([3.0, -3.0]), np.array([1, 0]), "2 rows"),
    ],
    ids=["upside down", "constant", "one class", "few"],
)
def test_where_nothing_can_be_learnt_the_margins_are_left_and_it_says_so(
    margins: Floats, labels: Floats, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = fit_calibration(margins[:, None], labels, "sigmoid", (0.25,))
    assert found == uncalibrated("sigmoid", (0.25,))
    assert "no calibration" in caplog.text
    assert why in caplog.text


def test_a_class_that_the_earlier_rows_lack_is_no_fault() -> None:
    margins, labels = classes(np.array([0.5] * 3), np.zeros(3), 3_000)
    labels[:1_500] = np.minimum(labels[:1_500], 1)
    found = fit_calibration(margins, labels, "softmax", (0.0,) * 3)
    assert np.isfinite(found.apply(margins)).all()


def test_numbers_that_are_none_are_refused() -> None:
    margins, labels = np.array([[0.0], [np.nan], [np.inf]]), np.array([0, 1, 1])
    with pytest.raises(ValueError, match="2 of 3 margins are not finite"):
        fit_calibration(margins, labels, "sigmoid", NO_OFFSET)
    with pytest.raises(ValueError, match="1 of 3 labels are not finite"):
        fit_calibration(np.zeros((3, 1)), np.array([0, 1, np.nan]), "identity", NO_OFFSET)
    with pytest.raises(ValueError, match="1 of 3 labels are none of 0 to 1"):
        fit_calibration(np.zeros((3, 1)), np.array([0, 1, 2]), "sigmoid", NO_OFFSET)
    with pytest.raises(ValueError, match=r"margins \(3, 1\)"):
        fit_calibration(np.zeros((3, 1)), np.array([0, 1, 2]), "softmax", (0.0, 0.0, 0.0))


RIGHT = plain(Calibration("isotonic", "sigmoid", (0.0,), (1.0,), (0.0,), (0.0, 1.0), (0.0, 2.0)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "linear"},
        {"method": "none"},
        {"link": "logit"},
        {"slope": [0.0]},
        {"slope": [-1.0]},
        {"slope": [None]},
        {"slope": 1.0},
        {"offset": [0.0, 0.0]},
        {"intercept": [float("inf")]},
        {"knots": [1.0, 0.0]},
        {"values": [2.0, 2.0]},
        {"values": [2.0]},
        {"knots": [], "values": []},
        {"method": "temperature", "knots": [], "values": [], "intercept": [1.0]},
        {"temperature": 2.0},
    ],
    ids=str,
)
def test_a_document_that_is_no_calibration_is_refused(wrong: dict[str, object]) -> None:
    assert Calibration.read(RIGHT).method == "isotonic"
    with pytest.raises(PerennialError, match="is no calibration"):
        Calibration.read(RIGHT | wrong)


def test_a_class_without_rows_gets_no_steep_slope() -> None:
    """What a class that has no rows says hardly varies: to stretch that would make much of rounding."""
    random = np.random.default_rng(4)
    margins = np.column_stack([random.normal(0, 2, (400, 2)), random.normal(-12, 1e-5, 400)])
    labels = (random.random(400) < 1 / (1 + np.exp(margins[:, 0] - margins[:, 1]))).astype(float)
    found = fit_calibration(margins, labels, "softmax", (0.0, 0.0, 0.0))
    assert max(found.slope) < 100


LEVELS = (0.1, 0.5, 0.9)


def spread(rows: int, width: float = 1.0, moved: float = 0.0) -> tuple[Floats, Floats]:
    """Margins [n, 3] that are the quantiles of normal labels, but so much narrower and moved, and labels."""
    random = np.random.default_rng(9)
    centre = random.normal(0, 3, rows)
    margins = centre[:, None] + width * norm.ppf(LEVELS) + moved
    return margins, centre + random.normal(0, 1, rows)


@pytest.mark.parametrize("wrong", [{"width": 0.4}, {"width": 2.0}, {"moved": 0.8}], ids=str)
def test_quantiles_that_claim_too_much_or_too_little_are_shifted_until_they_hold(
    wrong: dict[str, float],
) -> None:
    margins, labels = spread(4_000, **wrong)
    found = fit_shift(margins[:2_000], labels[:2_000], LEVELS)
    assert found.method == "shift"
    before, after = (
        (labels[2_000:, None] <= said).mean(0) for said in (margins[2_000:], found.apply(margins[2_000:]))
    )
    assert np.abs(before - LEVELS).max() > 0.08
    assert after == pytest.approx(LEVELS, abs=0.03)
    odd = fit_shift(margins[:1_999], labels[:1_999], LEVELS)
    turned = fit_shift(-margins[:1_999, ::-1], -labels[:1_999], LEVELS)  # both ends are dealt with alike
    assert turned.intercept == pytest.approx([-shift for shift in odd.intercept[::-1]])


def test_quantiles_that_hold_are_left_as_they_are() -> None:
    for rows in (60, 2_000):
        assert fit_shift(*spread(rows), LEVELS).method == "none"


def test_few_rows_round_a_shift_outwards() -> None:
    """Of 40 distances the 96 % one is the largest: with the row to come they would be 41."""
    margins, labels = np.zeros((40, 2)), np.arange(40.0)
    random = np.random.default_rng(0)
    found = fit_shift(
        margins + random.normal(0, 1e-6, (40, 2)), random.permutation(labels) + 500, (0.04, 0.96)
    )
    assert found.intercept == pytest.approx([500, 539], abs=1e-3)


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=8), st.data())
def test_quantiles_never_cross(rows: list[list[float]], data: st.DataObject) -> None:
    shifts = tuple(data.draw(st.lists(numbers, min_size=3, max_size=3)))
    answers = Calibration("shift", "sorted", (0.0,) * 3, (1.0,) * 3, shifts).apply(np.array(rows))
    assert (np.diff(answers, axis=1) >= 0).all()
    np.testing.assert_array_equal(answers, np.sort(np.array(rows) + shifts, axis=1))
