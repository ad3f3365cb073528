"""Concept drift: has what the answers get wrong changed, day by day, since the champion's holdout?

A detector over rows speaks all the time, for the rows of a day hang together; over days it is quiet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.problem import Floats
from monitoring.performance.blocks import Block, pooled

# A quiet stream of so many days speaks in this share of cases, of all its signals together.
QUIET, CHANCE = 365, 0.01
# Fewer days of reference do not say how days vary.
LEAST = 8
# What a day may stray without a say, in standard deviations of the reference's days.
SLACK = 0.25
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A signal of the days, `error` or `excess loss`, that changed.

    `spoke` is when the block begins with which it was sure, `place` that of this block; `shift` how far the
    days from then on, that one included, lie from the reference's, and `shifts` is the same in standard
    deviations of a day. Of `excess loss` the shift is a share of the best constant's loss.
    """

    signal: str
    spoke: str
    place: int
    shift: float
    shifts: float


def changes(reference: Sequence[Block], stream: Sequence[Block], seed: int = 0) -> tuple[Change, ...]:
    """What changed in the `stream` of days since the release, by the champion's days of holdout.

    Page's test (1954) to both sides on the mean error of a day, and upwards on the loss beyond what the
    answers led to expect (or on the loss, where they claim nothing). The reference comes first, so that
    the mean is known; from each alarm on the test begins anew. Days of few rows are pooled.

    Its threshold is the one that streams drawn from the reference's own days, in stretches, pass in one
    case of a hundred: however short the reference, that is in the threshold. Where it has fewer than 8 days,
    the first of the stream are of it, too; empty until there are more.
    """
    if not reference or not stream:
        return ()
    least = int(np.median([block.rows for block in reference]) / 2)
    held, since = pooled(list(reference), least), pooled(list(stream), least)
    lent = max(0, LEAST - len(held))
    then, now = [*held, *since[:lent]], since[lent:]
    if not now:
        return ()
    found: list[Change] = []
    errors = np.array([block.error for block in [*then, *now]])
    for name, mode, series in (
        ("error", "both", errors),
        ("excess loss", "up", _excess([*then, *now], errors)),
    ):
        usual = series[: len(then)]
        if np.isfinite(series).all() and usual.std() > 0:
            found += _spoken(name, mode, usual, series[len(then) :], now, seed)
    placed = [replace(each, place=each.place + lent) for each in found]
    return tuple(sorted(placed, key=lambda change: change.place))


def _excess(blocks: Sequence[Block], errors: Floats) -> Floats:
    """The loss of each day beyond what its answers led to expect, as a share of the best constant's.

    What goes up and down with the day's mean error is taken out of it (by the changes from day to day):
    that a day was worse for all is no sign that the answers tell less. Of departures from New York that
    leaves a sixth of the variance. Where the answers claim nothing it is the loss as it is.
    """
    loss, expected, constant = (
        np.array([getattr(block, name) for block in blocks]) for name in ("loss", "expected", "constant")
    )
    scale = float(np.average(constant, weights=[block.rows for block in blocks]))
    if not scale > 0:
        return np.full(len(blocks), np.nan)
    if np.isnan(expected).any():
        return np.asarray(loss / scale, np.float64)
    excess = (loss - expected) / scale
    steps, moved = np.diff(errors), np.diff(excess)
    return np.asarray(excess - errors * (steps @ moved) / max(float(steps @ steps), 1e-300), np.float64)


def _spoken(
    name: str, mode: str, usual: Floats, series: Floats, blocks: Sequence[Block], seed: int
) -> list[Change]:
    """The alarms of one signal."""
    mean, spread = float(usual.mean()), float(spread_of(usual, np.concatenate([usual, series])))
    limit = threshold(usual, max(len(series), QUIET), mode, seed)
    alarms = alarms_of((usual - mean) / spread, (series - mean) / spread, limit, mode)
    found = []
    for place in alarms:
        later = float(np.average(series[place:], weights=[block.rows for block in blocks[place:]]))
        shift = later - mean
        found.append(Change(name, blocks[place].begins, place, shift, shift / spread))
    return found


def spread_of(usual: Floats, whole: Floats) -> Floats:
    """How days vary, by the last axis: as the reference's do, or as each does from the day before it.

    A few days of reference may be alike by chance, and of many days the second says how they are: it
    takes no notice of a change of level (von Neumann, 1941).
    """
    steps = np.sqrt((np.diff(whole, axis=-1) ** 2).mean(axis=-1) / 2)
    return np.asarray(np.maximum(usual.std(axis=-1, ddof=1), steps), np.float64)


def alarms_of(usual: Floats, series: Floats, limit: float, mode: str) -> list[int]:
    """Where in the series river's detector speaks, once it has seen what is usual; both in deviations."""
    from river.drift import PageHinkley  # which imports pandas and scikit-learn: more than a second

    detector = PageHinkley(min_instances=len(usual) + 1, delta=SLACK, threshold=limit, alpha=1.0, mode=mode)
    found = []
    for place, value in enumerate([*usual.tolist(), *series.tolist()]):
        detector.update(value)  # type: ignore[no-untyped-call]
        if detector.drift_detected:
            found.append(place - len(usual))
    return found


def threshold(usual: Floats, length: int, mode: str, seed: int) -> float:
    """What the detector's statistic exceeds in half of one per cent of quiet streams of this length.

    Each is drawn from the reference's own days, and so is a reference of its own, by which it is
    measured: the fewer the days, the less they tell of the usual. Days are drawn in stretches, for a day
    is like the one before it. It is no lower than for days that are independent and normal: how long
    a few days hang together is a guess, and one that is too low speaks far too often.
    """
    random, count = np.random.default_rng(seed), len(usual)
    stretch = round(count ** (1 / 3)) + 1
    then = usual[_drawn(random, count, stretch, count)]
    whole = np.hstack([then, usual[_drawn(random, length, stretch, count)]])
    spread = np.maximum(spread_of(then, whole), 1e-9 * usual.std())[:, None]
    highest = highest_of((whole - then.mean(axis=1, keepdims=True)) / spread, count, mode)
    return max(float(np.quantile(highest, 1 - CHANCE / 2)), _normal(count, length, mode))


@lru_cache(maxsize=8)
def _normal(count: int, length: int, mode: str) -> float:
    """The same of independent days of a normal distribution."""
    streams = np.random.default_rng(0).normal(0, 1, (DRAWS, count + length))
    return float(np.quantile(highest_of(streams, count, mode), 1 - CHANCE / 2))


def highest_of(streams: Floats, skipped: int, mode: str) -> Floats:
    """The highest statistic of the detector in each stream [draws, n], after so many days of reference.

    The same sums as river's, over all streams at once.
    """
    means = np.cumsum(streams, axis=1) / np.arange(1, streams.shape[1] + 1)
    up = np.cumsum(streams - means - SLACK, axis=1)
    found = (up - np.minimum.accumulate(up, axis=1))[:, skipped:].max(axis=1)
    if mode == "both":
        down = np.cumsum(streams - means + SLACK, axis=1)
        fallen = (np.maximum(np.maximum.accumulate(down, axis=1), -1.0) - down)[:, skipped:].max(axis=1)
        found = np.maximum(found, fallen)
    return np.asarray(found, np.float64)


def _drawn(random: np.random.Generator, length: int, stretch: int, count: int) -> NDArray[np.intp]:
    """Places of days [draws, length], in stretches that go round from the last day to the first."""
    starts = random.integers(0, count, (DRAWS, -(-length // stretch)))
    places = (starts[:, :, None] + np.arange(stretch)).reshape(DRAWS, -1) % count
    return np.asarray(places[:, :length], np.intp)
