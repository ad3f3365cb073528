"""Findings: what a replay says in sentences, each with the numbers that it rests on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from models.measures.paired import Interval
from replay.days import Days, Floats, is_above
from replay.policies import NEVER, REFERENCE, SLIDING, STATEFUL
from replay.ungated import UNGATED

# What is compared with what, and what the one does that the other does not.
_PAIRS = (
    ("Retraining after every batch", REFERENCE, "never retraining", NEVER),
    ("A sliding window", SLIDING, "an expanding one", REFERENCE),
    ("Going on from the champion", STATEFUL, "fits from nothing", REFERENCE),
    ("Retraining after every batch without the gate", UNGATED[REFERENCE], "never retraining", NEVER),
    ("A sliding window without the gate", UNGATED[SLIDING], "an expanding one", UNGATED[REFERENCE]),
    ("The gate", REFERENCE, "letting every challenger through", UNGATED[REFERENCE]),
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much less one history lost than another, by unit: over all, and by batch."""

    told: str
    overall: Interval
    by_batch: tuple[Interval, ...]


def contrasts(days: Days, sums: Mapping[str, Floats], batches: int) -> list[Contrast]:
    """What each way of retraining gained over the other, under the gate and without it."""
    found = []
    for what, one, than, other in _PAIRS:
        if one in sums and other in sums:
            saved = sums[other] - sums[one]
            by_batch = tuple(days.mean(saved, place) for place in range(batches))
            found.append(Contrast(f"{what} against {than}", days.mean(saved), by_batch))
    return found


def sentences(found: Sequence[Contrast], batches: Sequence[str], loss: str) -> Iterator[str]:
    """A sentence a contrast: overall, and in which batches it surely gained or lost."""
    for each in found:
        if each.overall == Interval(0.0, 0.0, 0.0):
            yield f"{each.told} makes no difference here: the answers are the same."
            continue
        value, verb = each.overall.value, "gains" if each.overall.value > 0 else "loses"
        told = f"{each.told} {verb} {abs(value):.4f} of {loss} overall ({_sure(each.overall)})"
        gained = _runs([is_above(one) for one in each.by_batch], batches)
        lost = _runs([is_above(_turned(one)) for one in each.by_batch], batches)
        told += f"; it surely gains in {gained}" if gained else "; it surely gains in no batch"
        told += f", and surely loses in {lost}" if lost else ", and surely loses in none"
        yield f"{told}."


def _sure(found: Interval) -> str:
    if np.isinf(found.low):
        return "how surely is not known: all is of one day"
    sure = "surely" if is_above(found) or is_above(_turned(found)) else "not surely"
    return f"{found.low:+.4f} to {found.high:+.4f}, {sure}"


def _turned(found: Interval) -> Interval:
    return Interval(-found.value, -found.high, -found.low)


def _runs(holds: Sequence[bool], batches: Sequence[str]) -> str:
    """The stretches of batches in which something holds.

    >>> _runs([True, True, False, True], ["2013-05", "2013-06", "2013-07", "2013-08"])
    '2013-05 to 2013-06 and 2013-08'
    """
    told = []
    for held, places in groupby(range(len(holds)), key=lambda place: holds[place]):
        run = [batches[place] for place in places]
        if held:
            told.append(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}")
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 2 else told)
