"""Discrimination within blocks: by hand, against what was promised, and untouched by what days share."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.measures.discrimination import Discrimination
from models.measures.paired import Blocks
from models.measures.probabilities import auc

Floats = NDArray[np.float64]
DAYS, DAILY = 28, 300


def world(seed: int, shock: float = 0.4, kept: float = 1.0) -> tuple[Floats, Floats, Blocks]:
    """Labels of days with shocks of their own, and probabilities that are right but for these.

    Days differ in how likely their rows are, and in how hard these are to tell apart. Of what the
    probabilities say, in log-odds, `kept` is true.
    """
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(DAYS), DAILY)
    chances = expit(random.normal(random.normal(-1.4, 0.5, DAYS)[day], random.uniform(0.3, 1.5, DAYS)[day]))
    margins = kept * (logit(chances) + 1.4) - 1.4 + random.normal(0, shock, DAYS)[day]
    labels = (random.random(len(day)) < expit(margins)).astype(np.float64)
    return labels, chances, Blocks.draw(day, 400, seed)


def test_it_is_what_pairs_of_two_rows_say() -> None:
    labels = np.array([1.0, 0, 1, 0, 0])
    chances = np.array([0.5, 0.5, 0.25, 0.125, 0.5])  # which add up to less than the positives
    found = Discrimination.of(labels, chances, Blocks.draw(np.zeros(5), 10, 1), 0.9)
    shift = found_shift(chances, labels.sum())
    true = expit(logit(chances) + shift)
    pairs = [(one, other) for one, other in product(range(5), repeat=2) if one != other]
    won = [(chances[one] > chances[other]) + (chances[one] == chances[other]) / 2 for one, other in pairs]
    real = [labels[one] * (1 - labels[other]) for one, other in pairs]
    due = [true[one] * (1 - true[other]) for one, other in pairs]
    assert found.realised == pytest.approx(np.average(won, weights=real))
    assert found.expected == pytest.approx(np.average(won, weights=due))
    assert found.gap == pytest.approx(found.realised - found.expected)
    assert (found.low, found.high, found.blocks) == (-np.inf, np.inf, 1)


def found_shift(chances: Floats, total: float) -> float:
    """By bisection."""
    low, high = -20.0, 20.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(logit(chances) + middle).sum() < total else (low, middle)
    return low


def test_what_is_promised_is_kept_by_what_is_calibrated() -> None:
    """With 95 % confidence, 95 of 100 intervals should hold 0: below 88 has a chance of 1 in 500."""
    found = [Discrimination.of(*world(seed), 0.95) for seed in range(100)]
    assert sum(each.low <= 0 <= each.high for each in found) >= 88
    assert abs(np.mean([each.gap for each in found])) < 0.002


def test_it_varies_far_less_than_the_auc_where_days_differ() -> None:
    gaps, aucs = [], []
    for seed in range(40):
        labels, chances, blocks = world(seed)
        gaps.append(Discrimination.of(labels, chances, blocks, 0.95).gap)
        aucs.append(auc(labels, chances))
    assert np.std(gaps) < np.std(aucs) / 2


def test_what_no_longer_counts_as_it_did_is_seen() -> None:
    found = [Discrimination.of(*world(seed, kept=0.7), 0.95) for seed in range(20)]
    assert all(each.high < 0 for each in found)


def test_answers_of_one_value_say_nothing_and_promise_nothing() -> None:
    labels, _, blocks = world(1)
    found = Discrimination.of(labels, np.full(len(labels), 0.2), blocks, 0.95)
    assert (found.realised, found.expected, found.gap) == pytest.approx((0.5, 0.5, 0.0))


@pytest.mark.parametrize("extreme", [0.0, 1.0])
def test_certain_answers_have_a_finite_gap(extreme: float) -> None:
    labels, chances, blocks = world(2)
    chances[::7] = extreme
    assert np.isfinite(Discrimination.of(labels, chances, blocks, 0.95).gap)


def test_blocks_of_one_class_have_no_say() -> None:
    labels, chances, _ = world(3)
    day = np.repeat(np.arange(DAYS), DAILY)
    labels[day == 4], labels[day == 5] = 0, 1
    some = ~np.isin(day, (4, 5))
    whole = Discrimination.of(labels, chances, Blocks.draw(day, 50, 1), 0.95)
    less = Discrimination.of(labels[some], chances[some], Blocks.draw(day[some], 50, 1), 0.95)
    assert (whole.realised, whole.expected) == pytest.approx((less.realised, less.expected))
    assert whole.blocks == less.blocks == DAYS - 2


def test_of_one_class_there_is_nothing_to_say() -> None:
    found = Discrimination.of(np.zeros(20), np.full(20, 0.1), Blocks.draw(np.arange(20) // 5, 50, 1), 0.95)
    assert np.isnan([found.realised, found.expected, found.gap]).all() and found.blocks == 0
