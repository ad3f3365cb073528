"""Streams of rows, for tests that are looked at again and again: what each is worth, and whose it is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.measures.sequential import Arm

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Random = np.random.Generator
FIRST, GROWTH = 100, 1.08


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows in order of time: their values [n], the entities that they are of [n], and the arm of each [n].

    An entity stays in arm 1 or arm 0.
    """

    values: Floats
    entities: Codes
    arm: Codes

    def looks(self) -> Iterator[tuple[Arm, Arm]]:
        """Arm 1 and arm 0 after every batch of rows; a batch is a little longer than the one before."""
        count = int(self.entities.max()) + 1
        arms = [np.zeros((3, count)), np.zeros((3, count))]
        start = 0
        for end in _ends(len(self.values)):
            for code in (0, 1):
                among = start + np.flatnonzero(self.arm[start:end] == code)
                arms[code] += _by_entity(self.values[among], self.entities[among], count)
            start = end
            yield _arm(arms[1]), _arm(arms[0])


World = Callable[[Random, int, float], Stream]
"""Makes a stream of so many rows, a share of the entities of which is in arm 1."""


def bounded(random: Random, rows: int, share: float) -> Stream:
    """Losses between 0 and 1, each of an entity of its own."""
    return _alone(random, random.beta(2, 5, rows), share)


def heavy(random: Random, rows: int, share: float) -> Stream:
    """The log loss of a class that is 1 row in 100, mostly said to be unlikely: now and then many nats."""
    chance = np.clip(random.beta(0.5, 49.5, rows), 1e-6, 1 - 1e-6)
    came = random.random(rows) < chance
    return _alone(random, -np.where(came, np.log(chance), np.log1p(-chance)), share)


def failing(random: Random, rows: int, share: float) -> Stream:
    """One request in 500 fails."""
    return _alone(random, (random.random(rows) < 0.002).astype(np.float64), share)


def clustered(random: Random, rows: int, share: float) -> Stream:
    """Entities with an effect of their own, as large as the noise; the first has an eighth of all rows."""
    entities = _zipf(random, rows, 2_000)
    values = random.normal(0, 1, 2_000)[entities] + random.normal(0, 1, rows)
    return _together(random, values, entities, share)


def clustered_failing(random: Random, rows: int, share: float) -> Stream:
    """One request in 100 fails, nearly all of them of a few entities, some of which have many requests."""
    entities = _zipf(random, rows, 2_000)
    chance = random.beta(0.05, 4.95, 2_000)[entities]
    return _together(random, (random.random(rows) < chance).astype(np.float64), entities, share)


def bursts(random: Random, rows: int, share: float) -> Stream:
    """Entities that come, ask a number of times in a row, differ in what they ask for, and go."""
    sizes = np.minimum(random.zipf(2.0, rows), 200)
    entities = np.repeat(np.arange(rows), sizes)[:rows]
    values = random.exponential(1, rows)[entities] + random.normal(0, 1, rows)
    return _together(random, values, entities, share)


def few(random: Random, rows: int, share: float) -> Stream:
    """About ten entities in the smaller arm, of which all rows are."""
    entities = random.integers(0, round(10 / share), rows)
    values = random.normal(0, 0.1, round(10 / share))[entities] + random.normal(0, 1, rows)
    return _together(random, values, entities, share)


def unlike(random: Random, rows: int, share: float) -> Stream:
    """Two models of the same mean loss, one of which is seldom far off, the other often a little."""
    found = _alone(random, random.exponential(1, rows), share)
    often = random.gamma(4, 1 / 4, rows)
    return Stream(np.where(found.arm == 1, found.values, often), found.entities, found.arm)


WORLDS: Mapping[str, World] = {
    "bounded losses": bounded,
    "log losses of a rare class": heavy,
    "requests that fail": failing,
    "entities of skewed sizes": clustered,
    "entities of skewed sizes, failing": clustered_failing,
    "entities that come in bursts": bursts,
    "few entities": few,
    "unlike losses of one mean": unlike,
}
"""No difference between the arms in any of them."""


def _alone(random: Random, values: Floats, share: float) -> Stream:
    return _together(random, values, np.arange(len(values)), share)


def _together(random: Random, values: Floats, entities: Codes, share: float) -> Stream:
    arm = (random.random(int(entities.max()) + 1) < share).astype(np.int64)
    return Stream(values, entities, arm[entities])


def _zipf(random: Random, rows: int, entities: int) -> Codes:
    chances = 1 / np.arange(1, entities + 1)
    return random.choice(entities, rows, p=chances / chances.sum())


def _ends(rows: int) -> Iterator[int]:
    end = FIRST
    while end < rows:
        yield end
        end = max(end + 20, int(end * GROWTH))
    yield rows


def _by_entity(values: Floats, entities: Codes, count: int) -> Floats:
    weights = (values, values**2, np.ones(len(values)))
    return np.stack([np.bincount(entities, each, count) for each in weights])


def _arm(held: Floats) -> Arm:
    sums, squares, rows = held[:, held[2] > 0]
    return Arm(sums, squares, rows.astype(np.int64))
