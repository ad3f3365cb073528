"""Streams of batches of which the truth is known: real days of a project, with a drift of a known cost.

The inputs are those of the project's own days, drawn whole, for the rows of a day hang together. The
label of a row is drawn from what the champion says of it and a shock that the day has: in these worlds
the champion is right, until something is done to them. What a drift costs is the AUC that it takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from models.measures.intervals import local
from models.rows import Columns, Rows
from models.runtime.model import Model

Floats = NDArray[np.float64]
Kind = Literal["none", "seasonal", "mean shift", "new category", "swapped labels", "sudden", "gradual"]
KINDS: tuple[Kind, ...] = (
    "none",
    "seasonal",
    "mean shift",
    "new category",
    "swapped labels",
    "sudden",
    "gradual",
)
QUIET: tuple[Kind, ...] = ("none", "seasonal")
DAY = 86_400_000_000  # microseconds
NEW = "(new)"
RAMP = 6  # batches over which a gradual drift grows
STEPS = 10  # of the search for the strength that has a cost
PARTS = 6  # of a day
ROWS = 60_000  # a cost is measured on


@dataclass(frozen=True, slots=True)
class World:
    """Feature rows by day, what the champion says of them, and of them with its opposite inputs.

    `days` are the rows of each day; `usual` the days that the champion's own reference is made of, and
    `season` the other days, in order of time. `shocks` are the standard deviations of what a day, and each
    of its PARTS, adds to log-odds.
    """

    frame: pl.DataFrame
    model: Model
    columns: Columns
    importance: Mapping[str, float]
    days: Sequence[NDArray[np.intp]]
    usual: NDArray[np.intp]
    season: NDArray[np.intp]
    shocks: tuple[float, float]
    answers: Floats
    turned: Floats

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        model: Model,
        columns: Columns,
        importance: Mapping[str, float],
        until: datetime,
        timezone: str,
        shocks: tuple[float, float],
    ) -> "World":
        """The world of these feature rows, in order of time, whose reference ends at `until`."""
        names = local(frame["event_time"], timezone) // DAY
        starts = np.flatnonzero(np.diff(names, prepend=names[0] - 1))
        days = np.split(np.arange(frame.height), starts[1:])
        first = np.array([frame["event_time"][int(rows[0])] < until for rows in days])
        answers = model.predict(frame)
        turned = model.predict(_turned(frame, columns, importance))
        usual, season = np.flatnonzero(first), np.flatnonzero(~first)
        return cls(frame, model, columns, importance, days, usual, season, shocks, answers, turned)


@dataclass(frozen=True, slots=True)
class Drift:
    """What happens to a stream from batch `start` on, how strongly, and the AUC that it takes in the end."""

    kind: Kind
    strength: float = 0.0
    start: int = 3
    cost: float = 0.0

    def at(self, batch: int) -> float:
        """The strength in the batch of this place."""
        if batch < self.start:
            return 0.0
        grown = (batch - self.start + 1) / RAMP if self.kind == "gradual" else 1.0
        return self.strength * min(grown, 1.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """The labelled rows of a batch as they are observed, and the champion's answers to them [n]."""

    rows: Rows
    answers: Floats = field(repr=False)


def batch_of(
    world: World, drift: Drift, place: int, days: int, begin: datetime, random: np.random.Generator
) -> Batch:
    """The batch of this place in a stream: so many days, one after the other from `begin` on."""
    taken = _days(world, drift, place, days, random)
    at = np.concatenate([world.days[day] for day in taken])
    day = np.repeat(np.arange(days), [len(world.days[day]) for day in taken])
    strength = drift.at(place)
    chances = _chances(world, drift.kind, strength, at, _shock(world, at, day, days, random))
    labels = (random.random(len(at)) < chances).astype(np.float64)
    if drift.kind == "swapped labels":
        labels = np.where(random.random(len(at)) < strength, 1 - labels, labels)
    frame = _observed(world, drift.kind, strength, world.frame[at], random)
    seen = frame is not None
    shown = frame if frame is not None else world.frame[at]
    times = _times(shown["event_time"], day, begin)
    order = np.argsort(times.to_numpy(), kind="stable")
    answers = world.model.predict(shown) if seen else world.answers[at]
    shown = shown.with_columns(event_time=times)
    return Batch(Rows(shown[order], labels[order], times[order]), answers[order])


def cost(world: World, kind: Kind, strength: float, seed: int = 0) -> float:
    """The AUC that a drift of this strength takes, on many rows of the usual days."""
    days = max(2, round(ROWS / np.mean([len(world.days[day]) for day in world.usual])))

    def auc(drift: Drift) -> float:
        found = batch_of(world, drift, RAMP, days, world.frame["event_time"][0], np.random.default_rng(seed))
        return float(roc_auc_score(found.rows.labels, found.answers))

    return auc(Drift("none")) - auc(Drift(kind, strength, start=0))


def strength_for(world: World, kind: Kind, wanted: float) -> float:
    """The strength from 0 to 1 (of a mean shift: to 8 standard deviations) that costs `wanted` of AUC.

    It is 1 where the kind cannot take so much.
    """
    low, high = 0.0, 1.0
    if cost(world, kind, high) < wanted:
        return high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(world, kind, middle) >= wanted else (middle, high)
    return high


def _days(world: World, drift: Drift, place: int, days: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The days of a batch: any of the usual ones, or those of the season that it has come to."""
    if drift.kind != "seasonal" or place < drift.start:
        return random.choice(world.usual, days)
    step = (place - drift.start) * days % max(len(world.season) - days, 1)
    return random.choice(world.season[step : step + days], days)


def _chances(world: World, kind: Kind, strength: float, at: NDArray[np.intp], shock: Floats) -> Floats:
    """The chance of each row that its label is 1."""
    margins = logit(np.clip(world.answers[at], 1e-6, 1 - 1e-6))
    if kind in ("sudden", "gradual"):  # what counted one way counts the other, little by little
        margins = (1 - strength) * margins + strength * logit(np.clip(world.turned[at], 1e-6, 1 - 1e-6))
    return np.asarray(expit(margins + shock), np.float64)


def _shock(
    world: World, at: NDArray[np.intp], day: NDArray[np.intp], days: int, random: np.random.Generator
) -> Floats:
    """What the day of each row, and the part of the day, add to its log-odds."""
    part = day * PARTS + parts_of(world.frame["event_time"][at])
    of_day, of_part = world.shocks
    return np.asarray(
        random.normal(0, of_day, days)[day] + random.normal(0, of_part, days * PARTS)[part], np.float64
    )


def parts_of(times: pl.Series) -> NDArray[np.intp]:
    """The part of the day that each instant is in, from 0."""
    return (times.dt.epoch("us").to_numpy() % DAY // (DAY // PARTS)).astype(np.intp)


def _observed(
    world: World, kind: Kind, strength: float, frame: pl.DataFrame, random: np.random.Generator
) -> pl.DataFrame | None:
    """The rows as they are observed, where that is not as they are."""
    if not strength:
        return None
    if kind == "mean shift":
        leading = sorted(world.columns.numbers, key=lambda name: -world.importance.get(name, 0.0))[:5]
        shift = {name: 8 * strength * _spread(world.frame[name]) for name in leading}
        return frame.with_columns((pl.col(name) + by).cast(frame[name].dtype) for name, by in shift.items())
    if kind == "new category":
        new = pl.Series(random.random(frame.height) < strength)
        return frame.with_columns(
            *(
                pl.when(new).then(pl.lit(NEW)).otherwise(pl.col(name).cast(pl.String)).alias(name)
                for name in world.columns.categories
            ),
            # Of what is new nothing is known from before, either.
            *(pl.when(~new).then(pl.col(name)).alias(name) for name in world.columns.numbers),
        )
    return None


def _turned(frame: pl.DataFrame, columns: Columns, importance: Mapping[str, float]) -> pl.DataFrame:
    """The rows with the leading numbers turned about their medians: what was high is low."""
    leading = sorted(columns.numbers, key=lambda name: -importance.get(name, 0.0))[:5]
    medians: dict[str, float] = {name: float(frame[name].median() or 0.0) for name in leading}  # type: ignore[arg-type]
    return frame.with_columns(
        (2 * middle - pl.col(name)).cast(frame[name].dtype).alias(name) for name, middle in medians.items()
    )


def _spread(values: pl.Series) -> float:
    found = values.cast(pl.Float64).std()
    return float(found) if isinstance(found, float) else 0.0


def _times(times: pl.Series, day: NDArray[np.intp], begin: datetime) -> pl.Series:
    """The times of day as they are, on the days that they stand on in the batch."""
    clock = times.dt.epoch("us").to_numpy() % DAY
    start = int(begin.timestamp() * 1_000_000) // DAY * DAY
    return pl.Series("event_time", start + day * DAY + clock).cast(pl.Datetime("us", "UTC"))


def shocks_of(labels: Floats, answers: Floats, times: pl.Series) -> tuple[float, float]:
    """The standard deviations of what days, and parts of them, add to log-odds, from rows that no fit saw.

    First that of the days; then, where each day's answers are right on the whole, that of its parts.
    """
    day = times.dt.epoch("us").to_numpy() // DAY
    right = _right(labels, answers, day)
    return _spread_of(labels, answers, day), _spread_of(labels, right, day * PARTS + parts_of(times))


def _spread_of(labels: Floats, answers: Floats, blocks: NDArray[np.int64]) -> float:
    """What blocks vary beyond independent rows (DerSimonian and Laird, 1986), as a standard deviation."""
    _, place = np.unique(blocks, return_inverse=True)
    weights = np.bincount(place, answers * (1 - answers))
    errors = np.bincount(place, labels - answers) / weights
    mean = float(np.average(errors, weights=weights))
    excess = float(weights @ (errors - mean) ** 2) - (len(weights) - 1)
    return float(np.sqrt(max(excess / (weights.sum() - (weights**2).sum() / weights.sum()), 0.0)))


def _right(labels: Floats, answers: Floats, blocks: NDArray[np.int64]) -> Floats:
    """The answers, those of each block shifted by the same log-odds to add up to its labels."""
    _, place = np.unique(blocks, return_inverse=True)
    margins, shift = logit(np.clip(answers, 1e-6, 1 - 1e-6)), np.zeros(place.max() + 1)
    for _ in range(30):
        chances = expit(margins + shift[place])
        step = np.bincount(place, labels - chances) / np.bincount(place, chances * (1 - chances))
        shift += np.clip(step, -1, 1)
    return np.asarray(expit(margins + shift[place]), np.float64)
