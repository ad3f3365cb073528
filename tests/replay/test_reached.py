"""How long the rest of a replay may take, on a clock that the test turns."""

import heapq
from collections.abc import Iterator, Mapping
from statistics import median

import pytest

from core.changes import changed
from core.projects import load
from core.settings import Settings
from replay.policies import policies_of
from replay.reached import MEASURED, Course, Pace, course, in_words

ALWAYS, NEVER = Course(every=1), Course()
SPEC = load("flights", Settings()).spec
POLICIES = {policy.name: policy.changes for policy in policies_of(SPEC)}


def _lived(
    courses: Mapping[str, Course], steps: int, before: int, at_once: int, fit: float, step: float
) -> Iterator[tuple[float, dict[str, int]]]:
    """Histories one after the other on so many workers: an instant, and how far they are, at each step."""
    waiting, reached, made = iter(courses), dict.fromkeys(courses, 0), set[object]()
    working = [(0.0, name) for _, name in zip(range(at_once), waiting, strict=False)]
    begun: set[str] = set()
    while working:
        now, name = heapq.heappop(working)
        reached[name] += name in begun
        yield now, dict(reached)
        if reached[name] == steps:
            if (follower := next(waiting, None)) is None:
                continue
            name = follower
        begun.add(name)
        there = courses[name].fits(before, reached[name] + 1)
        took = step + fit * sum(size for key, size in there.items() if key not in made)
        made |= there.keys()
        heapq.heappush(working, (now + took, name))


def test_nothing_is_known_before_there_is_a_sign() -> None:
    pace = Pace({"a": ALWAYS, "b": NEVER}, steps=4, before=0, at_once=2)
    assert pace.left(0.0) is None
    pace.look({"a": 0, "b": 0}, 10.0)
    pace.look({"a": 0, "b": 0}, 12.0)
    assert pace.left(12.0) is None
    assert pace.told(12.0) == "0% lived through, 0 of 2 policies to the end"


@pytest.mark.parametrize("steps", [10, 50])
@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize(("fit", "step"), [(2.0, 1.0), (5.0, 1.0), (20.0, 1.0)])
def test_the_rest_is_known_soon(fit: float, step: float, at_once: int, steps: int) -> None:
    """Who made a fit before is taken into account: from a third on the rest is known by a half."""
    courses = {name: course(changed(SPEC, changes, name)) for name, changes in POLICIES.items()}
    looks = list(_lived(courses, steps, 3, at_once, fit, step))
    whole = looks[-1][0] * (1 + MEASURED)  # then all fits are measured
    pace, factors = Pace(courses, steps, 3, at_once), list[float]()
    for now in (whole * part / 100 for part in range(85)):
        pace.look([reached for at, reached in looks if at <= now][-1], now)
        left = pace.left(now)
        if now > whole / 3:
            assert left
            factors.append(max(left / (whole - now), (whole - now) / left))
    assert median(factors) < 1.5
    assert max(factors) < 3


def test_what_was_made_before_a_replay_went_on_is_no_measure_of_its_pace() -> None:
    pace = Pace({"a": ALWAYS, "b": ALWAYS}, steps=10, before=1_000_000, at_once=1)
    pace.look({"a": 9, "b": 0}, 500.0)
    pace.look({"a": 10, "b": 0}, 520.0)
    pace.look({"a": 10, "b": 5}, 525.0)
    left = pace.left(525.0)
    assert left is not None
    assert left < 60


def test_time_goes_by_between_two_looks() -> None:
    pace = Pace({"a": NEVER}, steps=10, before=1, at_once=1)
    for done in range(3):
        pace.look({"a": done}, 10.0 * done)
    first, later = pace.left(20.0), pace.left(24.0)
    assert first is not None
    assert later == pytest.approx(first - 4)


def test_all_is_told_at_the_end() -> None:
    pace = Pace({"a": NEVER}, steps=2, before=1, at_once=1)
    for done in range(3):
        pace.look({"a": done}, float(done))
    assert pace.told(2.0) == "100% lived through, 1 of 1 policies to the end; less than a minute left"


def test_the_course_of_a_policy_is_what_it_says() -> None:
    found = {name: course(changed(SPEC, changes, name)) for name, changes in POLICIES.items()}
    assert found["every 3 batches, stateless, expanding"] == Course(every=3)
    sliding = found["every 2 batches, stateless, sliding"]
    assert (sliding.every, sliding.reach) == (2, SPEC.training.first_batches)
    assert found["on drift, stateless, expanding"] == found["never"] == NEVER
    own = {found[f"every {every} batches, stateful, expanding"].own for every in (2, 3, 6)}
    assert len(own) == 3


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "less than a minute left"), (45, "about 1 minute left"), (5_400, "about 1.5 hours left")],
)
def test_in_words(seconds: float, told: str) -> None:
    assert in_words(seconds) == told
