"""How long the rest of a replay may take, on a clock that the test turns."""

import pytest

from replay.reached import Pace, in_words


def test_nothing_is_known_before_there_is_a_sign() -> None:
    pace = Pace(steps=4, before=0, at_once=2)
    pace.look({"a": 0, "b": 0}, 10.0)
    assert pace.left(12.0) is None
    assert pace.told(12.0) == "0% lived through, 0 of 2 policies to the end"


def test_a_step_takes_as_long_as_there_are_batches_to_learn_from() -> None:
    """Steps of 1, 2, 3 and 4 batches: the first two took 12 seconds, so the others take 28."""
    pace = Pace(steps=4, before=0, at_once=1)
    pace.look({"a": 1}, 100.0)
    pace.look({"a": 2}, 112.0)
    assert pace.left(112.0) == pytest.approx(28)


def test_where_there_was_much_to_learn_from_before_steps_are_alike() -> None:
    pace = Pace(steps=4, before=1_000_000, at_once=1)
    pace.look({"a": 1}, 100.0)
    pace.look({"a": 2}, 112.0)
    assert pace.left(112.0) == pytest.approx(12, rel=1e-5)


def test_those_that_wait_are_like_the_ones_that_ended_last() -> None:
    pace = Pace(steps=2, before=0, at_once=2)
    pace.look({"a": 1, "b": 0, "c": 0}, 0.0)
    pace.look({"a": 2, "b": 1, "c": 0}, 60.0)
    pace.look({"a": 2, "b": 2, "c": 0}, 80.0)
    assert pace.left(80.0) == pytest.approx(20 / 2)
    pace.look({"a": 2, "b": 2, "c": 1}, 90.0)
    pace.look({"a": 2, "b": 2, "c": 2}, 95.0)
    assert pace.left(95.0) == 0
    assert pace.told(95.0) == "100% lived through, 3 of 3 policies to the end; less than a minute left"


def test_the_more_at_once_the_sooner() -> None:
    left = []
    for at_once in (1, 4):
        pace = Pace(steps=2, before=0, at_once=at_once)
        pace.look({"a": 1, **dict.fromkeys("bcde", 0)}, 0.0)
        pace.look({"a": 2, **dict.fromkeys("bcde", 0)}, 40.0)
        left.append(pace.left(40.0))
    assert left == [pytest.approx(160), pytest.approx(40)]


def test_on_a_steady_clock_the_estimate_closes_in_on_the_truth() -> None:
    """Ten histories of equal length, one after the other, whose n-th step takes n seconds."""
    steps, whole = 10, sum(range(1, 11))
    pace, clock, reached = Pace(steps, 0, 1), 0.0, {str(each): 0 for each in range(10)}
    errors = []
    for history in reached:
        for step in range(1, steps + 1):
            clock += step
            reached[history] = step
            pace.look(reached, clock)
        left = pace.left(clock)
        assert left is not None
        errors.append(abs(left - (10 * whole - clock)))
    assert errors[-1] == 0
    assert all(error <= 0.05 * 10 * whole for error in errors)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "less than a minute left"), (45, "about 1 minute left"), (5_400, "about 1.5 hours left")],
)
def test_in_words(seconds: float, told: str) -> None:
    assert in_words(seconds) == told
