"""How often does a test that is looked at again and again find what is not there? `make bench-peeking`.

Streams without a difference between two arms are looked at after every batch of requests
(`benchmarks/sequential_worlds.py`); beside it, how long it takes to find one that is there.
"""

import math
import sys
import time

import numpy as np
from scipy.special import ndtri

from benchmarks.measures import Measure, report
from benchmarks.sequential_worlds import WORLDS, Stream, World, bounded
from models.measures.sequential import Arm, difference

CONFIDENCE = 0.95
SAMPLE = 1_000
SHARES = (0.5, 0.1, 0.01)
DRAWS = 120
# A true difference that a test of so many rows an arm, looked at once, finds in 80 of 100 cases.
FOUND_BY = 1_000
POWER = 0.8


def main() -> int:
    """Simulate, and print."""
    started = time.monotonic()
    told = [*wrongly_found(), *once_is_not_often(), *until_found()]
    return report("sequential_validity", [*told, Measure("seconds", time.monotonic() - started, "s")])


def wrongly_found(draws: int = DRAWS) -> list[Measure]:
    """The share of streams in which a difference is found that is not there, at whatever look."""
    shares = {
        f"{name}, {share:.0%} against {1 - share:.0%}": _wrong(world, share, draws)
        for name, world in WORLDS.items()
        for share in SHARES
    }
    most = 1 - CONFIDENCE
    error = 2 * math.sqrt(most * CONFIDENCE / draws)
    goal = f"at most {100 * most:.0f} % and twice the error, {100 * error:.1f}"
    told = [
        Measure(f"wrongly found: {name}", 100 * share, "%", goal, share <= most + error)
        for name, share in shares.items()
    ]
    mean = sum(shares.values()) / len(shares)
    of = draws * len(shares)
    return [Measure(f"wrongly found, of {of} streams", 100 * mean, "%", "at most 5 %", mean <= most), *told]


def once_is_not_often(draws: int = DRAWS) -> list[Measure]:
    """The same looks, at an interval that is valid at one look alone."""
    streams = (bounded(np.random.default_rng(seed), rows_at(0.5), 0.5) for seed in range(draws))
    wrong = float(np.mean([any(_once(*arms) for arms in stream.looks()) for stream in streams]))
    return [Measure("wrongly found by intervals for a single look: bounded losses", 100 * wrong, "%")]


def until_found(draws: int = DRAWS) -> list[Measure]:
    """The rows in the smaller arm until a true difference is found, to those of a test looked at once."""
    told = []
    for share in SHARES:
        rows = [_until(_better(np.random.default_rng(seed), share)) for seed in range(draws // 2)]
        for name, quantile in (("half", 0.5), ("80 %", 0.8)):
            ratio = float(np.quantile(rows, quantile)) / FOUND_BY
            goal = ("at most 3", ratio <= 3) if quantile == POWER else ("", True)
            what = f"rows until {name} are found, {share:.0%} against {1 - share:.0%}, to a single look"
            told.append(Measure(what, ratio, "x", *goal))
    return told


def rows_at(share: float) -> int:
    """How many rows a stream has: hundreds at the least in the smaller arm."""
    return max(20_000, round(600 / share))


def finds(stream: Stream) -> bool:
    """Whether a difference is found at any look."""
    return any(_found(*arms) for arms in stream.looks())


def _wrong(world: World, share: float, draws: int) -> float:
    streams = (world(np.random.default_rng(seed), rows_at(share), share) for seed in range(draws))
    return float(np.mean([finds(stream) for stream in streams]))


def _found(ours: Arm, theirs: Arm) -> bool:
    found = difference(ours, theirs, SAMPLE, CONFIDENCE)
    return found.low > 0 or found.high < 0


def _once(ours: Arm, theirs: Arm) -> bool:
    error = np.sqrt(ours.variance + theirs.variance)
    return bool(abs(ours.mean - theirs.mean) > ndtri((1 + CONFIDENCE) / 2) * error)


def _better(random: np.random.Generator, share: float) -> Stream:
    """A stream whose arm 1 is better by as much as FOUND_BY rows of it show in one look."""
    stream = bounded(random, round(4 * FOUND_BY / share), share)
    standard = np.sqrt(stream.values.var() * (1 / FOUND_BY + share / (1 - share) / FOUND_BY))
    gain = (ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER)) * standard
    return Stream(stream.values - gain * stream.arm, stream.entities, stream.arm)


def _until(stream: Stream) -> float:
    return next((float(ours.count) for ours, theirs in stream.looks() if _found(ours, theirs)), np.inf)


if __name__ == "__main__":
    sys.exit(main())
