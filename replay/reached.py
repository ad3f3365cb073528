"""Reached: how far each history is, and how long the rest of a replay may take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from core.changes import changed
from core.ledger import Ledger
from core.settings import Settings
from core.spec import Spec
from replay.history import registry_of
from replay.plan import Plan, folder_of
from stages.workspace import open_workspace


def ledgers_of(settings: Settings, project: str) -> dict[str, Ledger]:
    """The ledger of each history of a replay that was planned."""
    folder, name = folder_of(settings, project), project.partition("@")[0]
    plan = Plan.read(folder)
    return {each: Ledger(registry_of(folder, plan, each), name) for each in plan.policies}


def reached(ledgers: Mapping[str, Ledger]) -> dict[str, int]:
    """How many batches each history has judged by now."""
    return {policy: ledger.count("monitor") for policy, ledger in ledgers.items()}


def pace_of(settings: Settings, project: str) -> "Pace":
    """The pace of a replay that was planned, before anything was seen of it."""
    plan, spec = Plan.read(folder_of(settings, project)), open_workspace(project, settings).spec
    specs = {name: changed(spec, changes, f"policy {name!r}") for name, changes in plan.policies.items()}
    courses = {name: Course() if name in plan.serves else course(each) for name, each in specs.items()}
    before = spec.training.first_batches
    ends = [batch.end for batch in spec.batches.calendar().batches(plan.since or None)]
    return Pace(courses, steps_of(ends, before, spec.outcome.maturity, plan.as_of), before, settings.workers)


def steps_of(ends: Sequence[datetime], before: int, maturity: timedelta, as_of: datetime) -> int:
    """How many batches, which have these ends, are answered and judged by `as_of`; one at least.

    The first model is there once all outcomes of the first `before` of them are.

    >>> ends = [datetime(2013, month, 1) for month in range(2, 8)]
    >>> [steps_of(ends, 2, timedelta(days), datetime(2013, 7, 31)) for days in (3, 45)]
    [4, 2]
    """
    first = ends[min(before, len(ends)) - 1] + maturity
    return max(1, sum(first < end <= as_of - maturity for end in ends))


@dataclass(frozen=True, slots=True)
class Course:
    """What can be said beforehand of the fits of a history.

    It retrains after `every` batches, or nobody knows when (None), on the newest `reach` batches, or on all
    (None). Where fits go on from a champion, the `share` of them that does so is its `own`: no other has
    the same.
    """

    every: int | None = None
    reach: int | None = None
    own: str = ""
    share: float = 1.0

    def fits(self, before: int, done: int) -> dict[tuple[int, int | None, str], float]:
        """How many batches each fit has learnt from once so many were judged; of equal fits the key is one.

        >>> Course(every=2).fits(before=3, done=5)
        {(0, None, ''): 3, (2, None, ''): 5, (4, None, ''): 7}
        """
        places = chain([0], range(self.every, done, self.every) if self.every else ())
        found: dict[tuple[int, int | None, str], float] = {}
        for place in places if done else ():
            there = before + place
            size = min(there, self.reach or there)
            reach = self.reach if size < there else None
            if self.own and place:
                found[place, reach, self.own] = size * self.share
                found[place, reach, ""] = size * (1 - self.share)
            else:
                found[place, reach, ""] = size
        return found


def course(spec: Spec) -> Course:
    """What a policy's spec says beforehand."""
    training = spec.training
    first = spec.batches.calendar().batches()[0]
    reach = max(1, round(training.window / (first.end - first.start))) if training.window else None
    own = f"{spec.monitoring.opened_by} {spec.monitoring.every}" if training.stateful else ""
    return Course(spec.monitoring.every, reach, own, 1 / len(training.families) if own else 1.0)


FIT = 8.0  # how many times what judging a batch takes, learning from a batch may take, before more is known
MEASURED = 0.05  # of what the histories take, measuring all of their fits takes: seen of a year, by month


@dataclass
class Pace:
    """How fast histories are lived through, `at_once` of them side by side.

    Each has so many `steps`; before the first one there were `before` batches to learn from. What takes time
    are fits, in proportion to the batches that they learn from, and steps; what each of these takes is found
    from all looks, that note how far the histories are at an instant, in seconds of any clock.
    """

    courses: Mapping[str, Course]
    steps: int
    before: int
    at_once: int
    _seen: list[tuple[float, float, float]] = field(default_factory=list)
    _at: float = 0.0
    _reached: Mapping[str, int] = field(default_factory=dict)

    def look(self, reached: Mapping[str, int], now: float) -> None:
        """Take note of how far the histories are."""
        busy = 0.0
        if self._seen:
            at_work = min(self.at_once, sum(done < self.steps for done in self._reached.values()))
            busy = self._seen[-1][2] + at_work * (now - self._at)
        self._seen.append((*self._done(reached), busy))
        self._reached, self._at = dict(reached), now

    def left(self, now: float) -> float | None:
        """How many seconds it may still take; None before there is a sign of it."""
        seen = np.array(self._seen)
        if not len(seen) or (seen[-1, :2] == seen[0, :2]).all():
            return None
        fit, step = self._costs(seen[-1] - seen)
        fits, steps = self._done(dict.fromkeys(self.courses, self.steps))
        rest = fit * (fits - seen[-1, 0]) + step * (steps - seen[-1, 1])
        rest += MEASURED * (fit * fits + step * steps)
        return max(0.0, float(rest) / self.at_once - (now - self._at))

    def told(self, now: float) -> str:
        """How far all is, in a line."""
        share = sum(self._reached.values()) / max(1, self.steps * len(self.courses))
        ended = sum(done >= self.steps for done in self._reached.values())
        line = f"{share:.0%} lived through, {ended} of {len(self.courses)} policies to the end"
        left = self.left(now)
        return line if left is None else f"{line}; {in_words(left)}"

    def _done(self, reached: Mapping[str, int]) -> tuple[float, float]:
        """What was learnt from for all fits that were made, each once, and the steps that were taken."""
        made = [self.courses[name].fits(self.before, done) for name, done in reached.items()]
        sizes: dict[tuple[int, int | None, str], float] = {}
        for key, size in chain.from_iterable(each.items() for each in made):
            sizes[key] = max(size, sizes.get(key, 0.0))
        return sum(sizes.values()), sum(reached.values())

    def _costs(self, back: NDArray[np.float64]) -> tuple[float, float]:
        """The seconds that a batch to learn from takes, and a step.

        `back` is how much less of each, and of seconds, there was at each look. Of a
        stretch of time it counts how far one is off in proportion to it, so that the last ones count too.
        """
        near = (back[:, 2] + 0.1 * back[0, 2] + 1e-9) ** -1
        known = back * near[:, None]
        scale = 0.05 * float(np.linalg.norm(known[:, 0])) or 1.0
        guess = [scale, -scale * FIT]
        (fit, step), _ = nnls(np.vstack([known[:, :2], guess]), np.append(known[:, 2], 0.0))
        return fit, step


def in_words(seconds: float) -> str:
    """How long something may take, as exactly as that can be known.

    >>> in_words(20.0), in_words(95.0), in_words(7000.0)
    ('less than a minute left', 'about 2 minutes left', 'about 1.9 hours left')
    """
    if seconds < 45:
        return "less than a minute left"
    if seconds < 5_400:
        minutes = max(1, round(seconds / 60))
        return f"about {minutes} minute{'s' if minutes > 1 else ''} left"
    return f"about {seconds / 3_600:.1f} hours left"
