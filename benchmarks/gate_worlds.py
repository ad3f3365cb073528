"""Worlds of which the truth is known, and pairs of models with a known gain, to put before the gate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from core.errors import PerennialError
from core.learning import ProblemKind
from core.spec import Spec
from models.gate.judge import Contender, Served
from models.problem import Floats, Problem, as_answers, problem_of
from models.problems.quantiles import Quantiles
from models.rows import Rows, columns

START = date(2013, 6, 1)
SHARES = (0.35, 0.33, 0.12, 0.08, 0.05, 0.04, 0.03)  # of the values of each category
CLASSES = ("early", "late", "lost")
LIST = 15  # rows of each list of a ranking

# In log-odds, or in the label's unit. Over 33 days of flights, what LightGBM saved on a linear model
# had 2.5 times the standard error that independent rows would have; here it is 2.5, too. The
# log-odds of two models of the usual noise are 0.39 apart (standard deviation); there 0.36.
BASE, SIGNAL, NOISE = -1.3, 0.75, 0.4
DAY, CELL = 0.5, 0.5  # how far days differ, and each value of a category within them
SHARED = 0.33  # the share of a model's errors that the rows of one day and value have in common
WORST = 10.0  # the noise of a model that knows next to nothing
MOST = 1_000_000  # rows that a true gain is the mean over


@dataclass(frozen=True, slots=True)
class Size:
    """Rows a day, and the base in log-odds (or the label's unit): by default of departures from New York."""

    daily: int = 930
    base: float = BASE

    @classmethod
    def of_rate(cls, daily: int, rate: float) -> "Size":
        """Of days on which this share of the rows is positive, which what days share draws to the middle."""
        drawn = np.sqrt(1 + np.pi / 8 * (DAY**2 + CELL**2 + SIGNAL**2))
        return cls(daily, float(np.log(rate / (1 - rate)) * drawn))


@dataclass(frozen=True, slots=True)
class World:
    """Labelled rows, and `signal` [n, K]: what there is to be known of them. `cell` is the day and value."""

    rows: Rows
    signal: Floats
    cell: NDArray[np.intp]
    base: float

    def answers(self, problem: Problem, noise: float, random: np.random.Generator) -> Floats:
        """Those of a model that knows the signal up to noise, shrunk so that it is calibrated."""
        shape = int(self.cell.max()) + 1, self.signal.shape[1]
        shared = random.normal(0, 1, shape)[self.cell]
        error = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * random.normal(0, 1, self.signal.shape)
        kept = SIGNAL**2 / (SIGNAL**2 + noise**2)
        margins = kept * (self.signal + noise * error) + self.base
        unknown = DAY**2 + CELL**2 + SIGNAL**2 * (1 - kept)
        if isinstance(problem, Quantiles):  # and the label's own noise, of 1
            margins = margins + np.sqrt(1 + unknown) * norm.ppf(problem.levels)
        elif problem.link != "identity":  # what is unknown draws probabilities towards the middle
            margins = margins / np.sqrt(1 + np.pi / 8 * unknown)
        return as_answers(problem.link, margins)


def world(spec: Spec, days: int, size: Size, random: np.random.Generator) -> World:
    """So many days of this size; a ranking's rows are in lists."""
    count, problem, daily = days * size.daily, problem_of(spec), size.daily
    day, value = np.repeat(np.arange(days), daily), random.choice(len(SHARES), count, p=SHARES)
    groups = np.arange(count) // LIST if spec.problem == "ranking" else None
    cell = day * len(SHARES) + value
    width = 1 if isinstance(problem, Quantiles) else len(problem.outputs)  # one thing has all quantiles
    signal = random.normal(0, SIGNAL, (count, width))
    shock = random.normal(0, DAY, days)[day] + random.normal(0, CELL, days * len(SHARES))[cell]
    shocks = shock[:, None] * (np.arange(signal.shape[1]) == 0)
    drawn = as_answers(problem.link, signal + size.base + shocks)
    labels = _LABELS[spec.problem](drawn, random)
    begin = pl.lit(START).cast(pl.Datetime).dt.replace_time_zone(spec.batches.timezone)
    step = timedelta(days=1) / daily
    times = pl.select((begin + step * pl.int_range(count)).dt.convert_time_zone("UTC")).to_series()
    frame = pl.DataFrame({"value": np.array([f"v{each}" for each in range(len(SHARES))])[value]})
    return World(Rows(frame, labels, times, groups), signal, cell, size.base)


def _yes(chances: Floats, random: np.random.Generator) -> Floats:
    return (random.random(len(chances)) < chances).astype(np.float64)


def _class(chances: Floats, random: np.random.Generator) -> Floats:
    passed = random.random((len(chances), 1)) > chances.cumsum(axis=1)[:, :-1]
    return passed.sum(axis=1).astype(np.float64)


def _value(values: Floats, random: np.random.Generator) -> Floats:
    return values.reshape(-1) + random.normal(0, 1, len(values))


def _grade(scores: Floats, random: np.random.Generator) -> Floats:
    return np.clip(np.floor(scores - BASE + random.normal(0, 0.7, len(scores))), 0, 4)


_LABELS: dict[ProblemKind, Callable[[Floats, np.random.Generator], Floats]] = {
    "binary": _yes,
    "multiclass": _class,
    "regression": _value,
    "ranking": _grade,
}


def with_features(spec: Spec, rows: Rows, random: np.random.Generator) -> Rows:
    """The rows with all features of the spec, which tell nothing; slices by the world's own value."""
    taken, count = columns(spec), len(rows)
    numbers = {name: random.normal(0, 1, count).astype(np.float32) for name in taken.numbers}
    texts = dict.fromkeys({*taken.categories, *spec.gate.slices} - {*taken.numbers}, rows.frame["value"])
    return replace(rows, frame=pl.DataFrame({**numbers, **texts}))


def framed(spec: Spec, kind: ProblemKind) -> Spec:
    """The project's spec as if its problem were of this kind, with its slices and one number for features."""
    if kind == spec.problem:
        return spec
    number = columns(spec).numbers[0]
    features = {name: each for name, each in spec.features.items() if name in (number, *spec.gate.slices)}
    outcome = spec.outcome.model_copy(update={"classes": CLASSES if kind == "multiclass" else ()})
    objective = spec.objective.model_copy(update={"metric": None, "costs": {}, "quantiles": ()})
    changed = {"problem": kind, "outcome": outcome, "objective": objective, "features": features}
    return spec.model_copy(update=changed)


def noise_for(spec: Spec, gain: float, base: float = BASE) -> float:
    """The noise of a champion over which a challenger of the usual noise truly gains so much.

    Found on a million independent rows. PerennialError when no model is so bad.
    """
    problem = problem_of(spec)
    days, daily = (MOST // 60, LIST) if spec.problem == "ranking" else (MOST, 1)
    far = world(spec, days, Size(daily, base), np.random.default_rng(1))

    def loss(noise: float) -> float:
        answers = far.answers(problem, noise, np.random.default_rng(2))
        return float(problem.losses(far.rows, answers).mean())

    usual, worst = loss(NOISE), loss(WORST)
    if worst - usual <= gain:
        raise PerennialError(f"gate.gain: there is no more than {worst - usual:.3g} to gain in these worlds")
    return float(brentq(lambda noise: loss(noise) - usual - gain, NOISE, WORST, xtol=1e-3))


def contender(name: str, answers: Floats, complexity: int, *, newer: bool = False) -> Contender:
    """A model with nothing wrong but perhaps its answers, fitted long before the world's rows, or `newer`."""
    file = Served("float32", parity=True, difference=2e-7, p99_us=40, bytes=500_000)
    until = datetime(2013, 5 if newer else 1, 1, tzinfo=UTC)
    return Contender(name, answers, complexity, until, (file,))
