"""What histories lost on the same rows, and intervals that cover the truth as often as they say."""

import numpy as np
import pytest

from core.errors import IntegrityError
from models.measures.paired import Interval
from replay.days import Days, is_above
from tests.replay.accounts import outcome

MONTHS, LENGTH = 3, 14


def test_sums_and_means_are_by_unit_over_all_or_in_a_batch() -> None:
    ours = [outcome(1.0, 2.0, cost=[3, 4]), outcome(6.0, 9.0, units=20, cost=[5, 6], first=2)]
    days = Days.of(ours, 1)
    assert days.sums(ours).tolist() == [1, 2, 6, 9]
    assert days.sums(ours, cost=True).tolist() == [3, 4, 5, 6]
    assert days.mean(days.sums(ours)).value == 18 / 60
    assert days.mean(days.sums(ours), 1).value == 15 / 40
    assert days.total(days.totals(days.sums(ours, cost=True))).value == 18


def test_a_day_that_two_batches_share_is_drawn_as_one() -> None:
    """Local days may be cut by a batch's end: what hangs together is drawn together."""
    ours = [outcome(4.0, 1.0), outcome(1.0, 4.0, first=1)]
    joined = [outcome(4.0, 2.0, 4.0)]
    split, whole = Days.of(ours, 1), Days.of(joined, 1)
    np.testing.assert_array_equal(split.totals(split.sums(ours)), whole.totals(whole.sums(joined)))


def test_histories_that_answered_other_rows_cannot_be_compared() -> None:
    days = Days.of([outcome(1.0, 2.0)], 1)
    for other in (outcome(1.0), outcome(1.0, 2.0, units=9), outcome(1.0, 2.0, first=1)):
        with pytest.raises(IntegrityError, match="answered different rows"):
            days.sums([other])


def test_nothing_is_sure_of_one_day_or_none() -> None:
    one = Days.of([outcome(1.0)], 1)
    assert not is_above(one.mean(one.sums([outcome(1.0)])))
    empty = Days.of([outcome(), outcome(1.0, 1.0)], 1)
    assert not is_above(empty.mean(empty.sums([outcome(), outcome(9.0, 9.0)]), 0))
    assert not is_above(Interval(float("nan"), float("nan"), float("nan")))


def test_paired_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Two histories on the same hard and easy days: one is better by 0.05 a row, but for chance."""
    random, truth = np.random.default_rng(4), 0.05
    covered, wide, cases = 0, 0.0, 150
    for case in range(cases):
        hard = random.gamma(2, 3, MONTHS * LENGTH)
        theirs = 10 * hard
        ours = theirs - 10 * (truth + random.normal(0, 0.1, MONTHS * LENGTH))
        months = [slice(LENGTH * each, LENGTH * (each + 1)) for each in range(MONTHS)]
        other = [outcome(*theirs[month], first=month.start) for month in months]
        one = [outcome(*ours[month], first=month.start) for month in months]
        days = Days.of(other, seed=case)
        found = days.mean(days.sums(other) - days.sums(one))
        covered += found.low <= truth <= found.high
        wide += found.high - found.low
    assert 0.91 <= covered / cases <= 0.99
    unpaired = 2 * 2 * np.sqrt(2 * 18 / (MONTHS * LENGTH))  # of the days' own variance, were they not paired
    assert wide / cases < unpaired / 10
