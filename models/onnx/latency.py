"""How long graphs take, side by side: for one row, and for many."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.runtime.model import Model
from models.runtime.session import Feed

BULK = 4096
BLOCKS, SINGLES, BULKS = 10, 50, 3
# A block's runs in bulk are fewer where they take longer than this, in seconds.
WHILE = 0.02


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds for one prepared row, and prepared rows a second of as many as bulk runs at once (at
    most 4,096); on one thread."""

    p50_us: float
    p99_us: float
    rows_per_second: float


UNTIMED = Latency(0.0, 0.0, 1.0)
"""Of graphs that are not timed: none is faster than another, and none takes too long."""


def latencies(models: Sequence[Model], frame: pl.DataFrame) -> list[Latency]:
    """Time the graphs, which take the same columns, on the frame's rows (repeated where too few), by turns.

    They take turns so that a busy moment of the machine meets them all, and the quietest of the
    blocks counts, since other processes can only ever add to what a graph takes.
    """
    bulk = min(BULK, models[0].rows_at_once)
    rows = frame[np.arange(bulk) % frame.height]
    feeds = [(model.feed(rows.head(1)), model.feed(rows)) for model in models]
    singles, bulks = np.empty((2, len(models), BLOCKS)), np.empty((len(models), BLOCKS))
    for block in range(BLOCKS):
        for place, (model, (one, many)) in enumerate(zip(models, feeds, strict=True)):
            singles[:, place, block] = np.percentile(_seconds(model, one, SINGLES), [50, 99])
            bulks[place, block] = _seconds(model, many, BULKS, WHILE).min()
    (p50, p99), fastest = singles.min(axis=2) * 1e6, bulks.min(axis=1)
    return [Latency(*map(float, times)) for times in zip(p50, p99, bulk / fastest, strict=True)]


def _seconds(model: Model, feed: Feed, times: int, within: float = math.inf) -> NDArray[np.float64]:
    """The seconds of each of so many runs, of which none begins after so many seconds."""
    clock = [time.perf_counter()]
    while len(clock) <= times and clock[-1] - clock[0] < within:
        model.run(feed)
        clock.append(time.perf_counter())
    return np.diff(clock)
