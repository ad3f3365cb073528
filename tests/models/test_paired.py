"""The bootstrap's intervals hold as often as they say, alone and together."""

import numpy as np
import pytest

from models.measures.paired import Blocks, Estimates

DAYS, DAILY = 20, 50


def drawn(parts: int, seed: int) -> Estimates:
    """The means of parts of rows whose true mean is 0, with days that hang together."""
    random, count = np.random.default_rng(seed), DAYS * DAILY
    day = np.repeat(np.arange(DAYS), DAILY)
    values = random.normal(0, 1, count) + random.normal(0, 1, DAYS)[day]
    part = random.integers(0, parts, count)
    return Blocks.draw(day, 300, seed).means(values, part, parts)


def held(estimates: Estimates, together: bool) -> bool:
    intervals = estimates.jointly(0.9) if together else estimates.intervals(0.9)
    return all(each.low <= 0 <= each.high for each in intervals)


@pytest.mark.parametrize("parts", [1, 8, 40])
def test_intervals_hold_together_as_often_as_they_say(parts: int) -> None:
    """With 90 % confidence 180 of 200 should: below 165 has a chance of 1 in 1,000."""
    assert sum(held(drawn(parts, seed), together=True) for seed in range(200)) >= 165


def test_alone_they_do_not_hold_together() -> None:
    assert sum(held(drawn(8, seed), together=False) for seed in range(100)) < 85


def test_parts_that_have_no_interval_do_not_widen_those_of_others() -> None:
    one = drawn(1, seed=1)
    lost = Estimates(np.array([np.nan]), np.full((300, 1), np.nan), np.array([0]))
    assert Estimates.joined([one, lost]).jointly(0.95)[0] == one.jointly(0.95)[0] == one.intervals(0.95)[0]


def test_a_part_of_one_block_or_of_no_row_has_no_ends() -> None:
    blocks = Blocks.draw(np.repeat(np.arange(DAYS), DAILY), 200, 1)
    part = np.where(np.arange(DAYS * DAILY) < DAILY, 0, -1)
    one, none = blocks.means(np.ones(DAYS * DAILY), part, 2).jointly(0.95)
    assert (one.value, one.low, one.high) == (1.0, -np.inf, np.inf)
    assert np.isnan(none.value) and none.low == -np.inf


def test_gaps_are_of_each_two() -> None:
    gaps, one, other = drawn(4, seed=2).gaps()
    values = drawn(4, seed=2).values
    assert len(gaps.values) == 6
    assert np.allclose(gaps.values, values[one] - values[other])
