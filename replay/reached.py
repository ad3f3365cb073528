"""Reached: how far each history is, and how long the rest of a replay may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.ledger import Ledger
from core.settings import Settings
from replay.history import registry_of
from replay.plan import Plan, folder_of
from stages.workspace import open_workspace


def reached_of(settings: Settings, project: str) -> dict[str, int]:
    """How many batches each history of a replay has judged by now."""
    folder, name = folder_of(settings, project), project.partition("@")[0]
    plan = Plan.read(folder)
    ledgers = {each: Ledger(registry_of(folder, plan, each), name) for each in plan.policies}
    return {each: len(ledger.results("monitor")) for each, ledger in ledgers.items()}


def pace_of(settings: Settings, project: str) -> "Pace":
    """The pace of a replay that was planned, before anything was seen of it."""
    plan, spec = Plan.read(folder_of(settings, project)), open_workspace(project, settings).spec
    batches = spec.batches.calendar().batches(plan.since or None)
    ends = (each.end + spec.outcome.maturity for each in batches)
    before = spec.training.first_batches
    return Pace(max(1, sum(end <= plan.as_of for end in ends) - before), before, settings.workers)


SHARED = 1 / 3  # of what the first histories cost, before it is known what the later ones do


@dataclass
class Pace:
    """How fast histories are lived through, `at_once` of them side by side.

    Each has so many `steps`; before the first one there were `before` batches to learn from. Each look notes
    how far they are at an instant, in seconds of any clock.
    """

    steps: int
    before: int
    at_once: int
    _begun: dict[str, float] = field(default_factory=dict)
    _took: dict[str, float] = field(default_factory=dict)
    _reached: dict[str, int] = field(default_factory=dict)

    def look(self, reached: Mapping[str, int], now: float) -> None:
        """Take note of how far the histories are."""
        for policy, done in reached.items():
            if done:
                self._begun.setdefault(policy, now)
            if done >= self.steps:
                self._took.setdefault(policy, now - self._begun[policy])
        self._reached = dict(reached)

    def left(self, now: float) -> float | None:
        """How many seconds it may still take; None before there is a sign of it.

        A step costs in proportion to the batches that there are to learn from by then. Histories that wait
        find most fits made already: they are taken to be as those that have ended of late.
        """
        whole = {
            policy: (now - self._begun[policy]) / self._share(done)
            for policy, done in self._reached.items()
            if 0 < done < self.steps
        }
        ended = list(self._took.values())
        like = ended[len(ended) // 2 :] or [SHARED * each for each in whole.values()]
        if not like:
            return None
        rest = sum(each - (now - self._begun[policy]) for policy, each in whole.items())
        waiting = sum(not done for done in self._reached.values())
        return (rest + waiting * sum(like) / len(like)) / self.at_once

    def _share(self, done: int) -> float:
        """The share of the work that so many steps are."""
        costs = [self.before + step for step in range(1, self.steps + 1)]
        return sum(costs[:done]) / sum(costs)

    def told(self, now: float) -> str:
        """How far all is, in a line."""
        share = sum(self._reached.values()) / max(1, self.steps * len(self._reached))
        line = f"{share:.0%} lived through, {len(self._took)} of {len(self._reached)} policies to the end"
        left = self.left(now)
        return line if left is None else f"{line}; {in_words(left)}"


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
