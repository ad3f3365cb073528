"""A test that is looked at again and again finds what is there, and what is not as seldom as it says."""

import numpy as np
import pytest
from scipy.special import ndtri

from benchmarks.sequential_worlds import WORLDS, Stream, bounded, clustered
from models.measures import sequential
from models.measures.sequential import LEAST, Arm, boundary, difference

SAMPLE, STREAMS, ROWS = 500, 60, 8_000


def finds(stream: Stream) -> bool:
    """Whether a difference is found at any of some 55 looks."""
    found = (difference(*arms, SAMPLE, 0.95) for arms in stream.looks())
    return any(each.low > 0 or each.high < 0 for each in found)


def wrong(name: str, share: float) -> int:
    return sum(finds(WORLDS[name](np.random.default_rng(seed), ROWS, share)) for seed in range(STREAMS))


def arm(values: list[float], times: int = 1) -> Arm:
    """An arm of entities with one row each, with so many of each value."""
    return Arm.of(np.repeat(values, times), np.arange(len(values) * times))


@pytest.mark.parametrize("share", [0.5, 0.02])
@pytest.mark.parametrize("name", WORLDS)
def test_no_difference_is_found_as_seldom_as_is_said(name: str, share: float) -> None:
    """At 95 % confidence 3 of 60 may be wrong: more than 8 has a chance of 1 in 400."""
    assert wrong(name, share) <= 8


def test_an_interval_for_a_single_look_would_find_it_far_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "boundary", lambda time, alpha: ndtri(1 - alpha / 2))
    assert wrong("bounded losses", 0.5) > 12


def test_rows_that_hang_together_would_be_taken_for_more_than_they_are() -> None:
    def alone(seed: int) -> Stream:
        made = clustered(np.random.default_rng(seed), ROWS, 0.5)
        fresh = np.arange(len(made.values))
        return Stream(made.values, fresh, made.arm)

    assert sum(finds(alone(seed)) for seed in range(STREAMS)) > 20


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_a_true_difference_is_found(share: float) -> None:
    """One that a single look at 500 rows finds in 80 of 100 cases, and this in 1,500."""
    rows, found = round(1_500 / share), 0
    for seed in range(10):
        same = bounded(np.random.default_rng(seed), rows, share)
        gain = 2.8 * same.values.std() * np.sqrt((1 + share / (1 - share)) / 500)
        found += finds(Stream(same.values + gain * same.arm, same.entities, same.arm))
    assert found >= 9


def test_it_is_tightest_at_the_stated_sample() -> None:
    times = np.geomspace(0.01, 100, 201)
    assert times[int(np.argmin([boundary(time, 0.05) for time in times]))] == pytest.approx(1)


def test_the_value_is_the_difference_of_the_means_of_rows() -> None:
    entities = np.arange(40) // 2
    ours, theirs = Arm.of(np.arange(40.0), entities), Arm.of(np.zeros(40) + entities % 2, entities)
    found = difference(ours, theirs, SAMPLE, 0.95)
    assert found.value == pytest.approx(19.5 - 0.5)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_of_few_entities_nothing_is_said_however_many_rows_they_have() -> None:
    few = Arm.of(np.random.default_rng(1).normal(9, 1, 10_000), np.arange(10_000) % (LEAST - 1))
    assert difference(few, arm([0.0, 1.0], 500), SAMPLE, 0.95).low == -np.inf


def test_without_rows_there_is_no_difference_and_without_variance_no_end() -> None:
    none = difference(arm([]), arm([1.0], 50), SAMPLE, 0.95)
    assert np.isnan(none.value) and (none.low, none.high) == (-np.inf, np.inf)
    alike = difference(arm([1.0], 50), arm([1.0], 50), SAMPLE, 0.95)
    assert (alike.value, alike.low, alike.high) == (0, -np.inf, np.inf)


def test_an_arm_in_which_nothing_rare_has_come_yet_is_not_surely_better() -> None:
    """Of 1 failure in 100 none is to be expected among 50 as often as not."""
    found = difference(arm([0.0], 50), arm([0.0] * 99 + [1.0], 50), SAMPLE, 0.95)
    assert found.low < 0 < found.high


def test_all_of_one_arm_and_none_of_the_other_is_surely_a_difference() -> None:
    assert difference(arm([1.0], 50), arm([0.0], 2_000), SAMPLE, 0.95).low > 0.5


def test_what_one_entity_asks_again_and_again_counts_once() -> None:
    """1 of 100 entities fails 500 times; so do 500 of 600 requests."""
    ours = Arm.of(np.array([1.0] * 500 + [0.0] * 100), np.array([0] * 500 + list(range(1, 101))))
    assert difference(ours, arm([0.0], 5_000), SAMPLE, 0.95).low < 0


def test_rows_that_say_the_same_add_nothing() -> None:
    random = np.random.default_rng(1)
    values = random.normal(0, 1, (2, 300))
    once, often = (
        difference(
            *(Arm.of(np.repeat(each, times), np.repeat(np.arange(300), times)) for each in values), 100, 0.95
        )
        for times in (1, 20)
    )
    assert often.value == pytest.approx(once.value)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.01)


def test_an_arm_of_entities_that_happen_to_be_alike_is_not_surely_better() -> None:
    """Half of all entities fail always, and none of the 12 that it has."""
    theirs = Arm.of(np.repeat([0.0, 1.0], 1_000), np.arange(2_000) // 10)
    found = difference(Arm.of(np.zeros(120), np.arange(120) // 10), theirs, SAMPLE, 0.95)
    assert found.low < 0 < found.high
