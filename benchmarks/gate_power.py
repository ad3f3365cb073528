"""How often does the gate promote what is no better, and what is? `make gate-power`.

Challengers of a known true gain meet champions before the whole gate, by the project's own rules,
on as many days as the first champion's first challenger has unseen rows (`benchmarks/gate_worlds.py`).
"""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from multiprocessing import get_context

import numpy as np
import polars as pl

from benchmarks.gate_worlds import NOISE, Size, contender, framed, noise_for, with_features, world
from benchmarks.measures import Measure, report
from core.batches import Batch
from core.learning import METRICS, ProblemKind
from core.projects import load
from core.settings import Settings
from core.spec import Spec
from models.gate.judge import judge
from models.problem import problem_of
from stages.workspace import open_workspace

SHARES_OF_GAIN = (0.4, 0.6, 0.8, 1.2)
SHARES_OF_DAYS = (0.7, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class Trial:
    """So many draws of a duel: over so many days, with a champion of this noise.

    The challenger is of noise `own`, of this complexity to the champion's 2, and may be the newer one.
    """

    kind: ProblemKind
    days: int
    noise: float
    draws: int
    complexity: int = 2
    own: float = NOISE
    newer: bool = False


def main() -> int:
    """Simulate, and print."""
    spec = load(sys.argv[1] if len(sys.argv) > 1 else "flights", Settings()).spec
    return report("gate_power", measures(spec, size_of(spec)))


def measures(spec: Spec, size: Size, draws: int = 1000, fewer: int = 200) -> list[Measure]:
    """The shares that are promoted: of `draws` where there is a goal, of `fewer` elsewhere."""
    kind, days, gain = spec.problem, days_of(spec), spec.gate.gain
    noise = {share: noise_for(spec, gain * share, size.base) for share in (1.0, *SHARES_OF_GAIN)}
    named = {
        "no true gain": Trial(kind, days, NOISE, draws),
        f"a true gain of {gain:g}": Trial(kind, days, noise[1.0], draws),
        "no true gain, simpler": Trial(kind, days, NOISE, fewer, complexity=1),
    }
    if margin := spec.gate.newer_margin:
        worse = noise_for(spec, margin, size.base)
        named["no true gain, newer"] = Trial(kind, days, NOISE, fewer, newer=True)
        named[f"a true loss of {margin:g}, newer"] = Trial(kind, days, NOISE, fewer, own=worse, newer=True)
    for share in SHARES_OF_GAIN:
        named[f"a true gain of {gain * share:g}"] = Trial(kind, days, noise[share], fewer)
    for share in SHARES_OF_DAYS:
        many = round(days * share)
        named[f"a true gain of {gain:g}, {many} days"] = Trial(kind, many, noise[1.0], fewer)
    for other in METRICS if kind == "binary" else ():  # of a gain in nats there is twice as much in each
        if other != kind:
            named[f"no true gain, {other}"] = Trial(other, days, NOISE, 2 * fewer)
            bigger = noise_for(framed(spec, other), 2 * gain)
            named[f"a true gain of {2 * gain:g}, {other}"] = Trial(other, days, bigger, fewer)
    spawn = get_context("spawn")  # Polars does not live through a fork
    with ProcessPoolExecutor(os.cpu_count(), spawn, _begin, (spec, size)) as pool:
        tasks = [(trial, seed) for trial in named.values() for seed in range(trial.draws)]
        found = iter(pool.map(_failed, tasks, chunksize=20))
        failed = {name: [next(found) for _ in range(trial.draws)] for name, trial in named.items()}
    told = [Measure("days", days, "days"), Measure("rows", days * size.daily, "rows")]
    return told + _promoted(failed) + _refusing(failed[f"a true gain of {gain:g}"])


def days_of(spec: Spec) -> int:
    """The days that are unseen by the first challenger that a champion can meet, a batch after the first."""
    batches = spec.batches.calendar().batches()[: spec.training.first_batches + 1]
    return round(_length(batches) / timedelta(days=1) * spec.training.holdout)


def size_of(spec: Spec) -> Size:
    """The rows a day, and their base rate, as the home has them of the batches before the first champion.

    Those of departures from New York, while it has none.
    """
    lake = open_workspace(spec.name).lake
    if not lake.exists("outcomes"):
        return Size()
    batches = spec.batches.calendar().batches()[: spec.training.first_batches]
    found = lake.scan("outcomes", [batch.id for batch in batches])
    rows = found.select(pl.len()).collect().item()
    daily = max(round(rows / (_length(batches) / timedelta(days=1))), 1)
    if spec.problem != "binary" or not rows:
        return Size(daily)
    return Size.of_rate(daily, found.select(pl.col("label").mean()).collect().item())


def _length(batches: Sequence[Batch]) -> timedelta:
    return batches[-1].end - batches[0].start


def _promoted(failed: dict[str, list[tuple[str, ...]]]) -> list[Measure]:
    """The share that is promoted in each trial: the first two have a goal."""
    shares = {name: sum(not checks for checks in refused) / len(refused) for name, refused in failed.items()}
    none, some, *_ = shares.values()
    goals = [("at most 5 %", none <= 0.05), ("at least 80 %", some >= 0.8)]
    return [
        Measure(f"promoted of {len(failed[name])}: {name}", 100 * share, "%", *goal)
        for (name, share), goal in zip_longest(shares.items(), goals, fillvalue=("", True))
    ]


def _refusing(refused: list[tuple[str, ...]]) -> list[Measure]:
    """How often each check refuses one that is truly better."""
    counts = Counter(check for checks in refused for check in checks)
    return [
        Measure(f"truly better, refused by {check}", 100 * count / len(refused), "%")
        for check, count in counts.most_common()
    ]


_SPECS: dict[ProblemKind, Spec] = {}
_SIZES: dict[ProblemKind, Size] = {}


def _begin(spec: Spec, size: Size) -> None:
    _SPECS.update({kind: framed(spec, kind) for kind in METRICS})
    _SIZES.update({kind: size if kind == spec.problem else Size(size.daily) for kind in METRICS})


def _failed(task: tuple[Trial, int]) -> tuple[str, ...]:
    """The checks that refuse one challenger."""
    trial, seed = task
    spec, random = _SPECS[trial.kind], np.random.default_rng(seed)
    problem, made = problem_of(spec), world(spec, trial.days, _SIZES[trial.kind], random)
    rows = with_features(spec, made.rows, random)
    answers = made.answers(problem, trial.own, random)
    ours = contender("challenger", answers, trial.complexity, newer=trial.newer)
    theirs = contender("champion", made.answers(problem, trial.noise, random), 2)
    checks = judge(spec, rows, ours, theirs, base=problem.constant(rows)).checks
    return tuple(check.name for check in checks if not check.passed)


if __name__ == "__main__":
    sys.exit(main())
