"""What is watched of a canary, and how it is told to a person."""

from dataclasses import dataclass, field
from math import isinf
from typing import Literal, get_args

from models.measures.paired import Interval
from models.measures.sequential import LEAST, Arm

WatchName = Literal["errors", "latency", "prediction shift", "estimated loss", "realised loss"]
WATCHES: tuple[WatchName, ...] = get_args(WatchName)
WatchState = Literal["alarm", "calm", "unknown"]


@dataclass(frozen=True, slots=True)
class Watch:
    """One look at a canary: whether it is surely worse than the champion, why in a sentence, and the numbers.

    `unknown` is what cannot be told, or not yet; `calm`, what is not surely worse, though it may be.
    """

    name: WatchName
    state: WatchState
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


def of_each(confidence: float) -> float:
    """The confidence of each watch's interval, that no watch alarms wrongly with this one (Bonferroni).

    Only one end of an interval can be an alarm, so that each may be wrong twice as often as its watch.

    >>> round(of_each(0.95), 4)
    0.98
    """
    return 1 - 2 * (1 - confidence) / len(WATCHES)


def judged(low: float, limit: float) -> WatchState:
    """An alarm where even the low end of a difference is above the limit."""
    return "alarm" if low > limit else "calm"


def few(name: WatchName, what: str, ours: Arm, theirs: Arm) -> Watch | None:
    """The watch of arms that have too few entities to be compared; None where they have enough."""
    if min(ours.entities, theirs.entities) >= LEAST:
        return None
    counts = {"canary_entities": float(ours.entities), "champion_entities": float(theirs.entities)}
    told = f"{what} of {ours.entities:,} entities of the canary and {theirs.entities:,} of the champion"
    return Watch(name, "unknown", f"There are {told}: {LEAST} of each are needed", counts)


def numbers(ours: Arm, theirs: Arm, found: Interval, limit: float) -> dict[str, float]:
    """What a page shows of a comparison: the difference with its ends, the limit, and what it is of."""
    return {
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "limit": limit,
        "canary": ours.mean,
        "champion": theirs.mean,
        "canary_rows": float(ours.count),
        "champion_rows": float(theirs.count),
    }


def points(found: Interval) -> str:
    """A difference of shares with its ends, in words.

    >>> points(Interval(0.08, 0.03, 0.13)), points(Interval(0.0, float("-inf"), float("inf")))
    ('8.0 points more (surely 3.0 to 13.0)', '0.0 points more')
    """
    told = f"{100 * found.value:.1f} points more"
    return told if isinf(found.low) else f"{told} (surely {100 * found.low:.1f} to {100 * found.high:.1f})"
