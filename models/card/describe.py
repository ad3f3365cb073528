"""All that a card tells of a fit beyond its spec, files and lineage: computed once, when it is made."""

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.spec import Spec
from models.card.curve import Point, curve
from models.card.examples import Example, examples
from models.card.explain import Effect, Method, effects
from models.card.outside import Outside, Seen, outside
from models.card.robustness import Trial, trials
from models.card.sample import spread
from models.card.slices import Periods, Sliced, by_column, over_time
from models.fit import Fit
from models.gate.fairness import OF, Group, groups
from models.measures.intervals import drawn_blocks, intervals
from models.measures.paired import Interval
from models.rows import Rows
from models.split import Split

# What is asked of a model again and again is asked about so many holdout rows.
ROWS = 400


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the rows: how many, of what time, the mean of their labels or each class's share."""

    rows: int
    first: datetime
    last: datetime
    label: float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the fit took: seconds on this kind of machine, and those that describing it took."""

    seconds: float
    described_seconds: float
    machine: str


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a fit from its holdout rows, `sampled` of them where it was asked again."""

    parts: Mapping[str, Part]
    measures: Mapping[str, Interval]
    blocks: int
    periods: Periods
    slices: tuple[Sliced, ...]
    curve: tuple[Point, ...]
    sampled: int
    method: Method
    effects: tuple[Effect, ...]
    examples: tuple[Example, ...]
    fairness: tuple[Group, ...]
    trials: tuple[Trial, ...]
    outside: Outside
    cost: Cost


def describe(fit: Fit, split: Split, spec: Spec) -> Description:
    """Describe a fit by its holdout rows: `core.plain.plain` makes of it what the registry can keep.

    SpecError when a slice or a sensitive attribute is no column of the rows.
    """
    started = time.monotonic()
    problem, holdout = fit.problem, split.holdout
    answers, blocks = fit.answers(holdout.frame), drawn_blocks(holdout, spec)
    confidence, seen = spec.gate.confidence, Seen.of(split.train.frame, fit.columns)
    some = holdout.at(spread(holdout, problem, ROWS, spec.training.seed))
    method, found = effects(problem, fit.model, fit.answers, some, seen, spec)
    attributes = spec.gate.fairness.attributes
    columns = dict.fromkeys(spec.gate.slices, "gate.slices")
    columns |= {name: OF for name in attributes if name not in columns}
    parts = {"train": split.train, "validation": split.validation, "holdout": holdout}
    return Description(
        parts={name: _part(rows, problem.outputs, spec) for name, rows in parts.items()},
        measures=intervals(problem, holdout, answers, blocks, confidence),
        blocks=blocks.count,
        periods=over_time(problem, holdout, answers, spec),
        slices=tuple(by_column(problem, holdout, answers, name, spec, of) for name, of in columns.items()),
        curve=curve(problem, holdout, answers, blocks, confidence),
        sampled=len(some),
        method=method,
        effects=found,
        examples=examples(problem, fit.model, holdout, answers, seen, spec),
        fairness=tuple(
            group
            for name in attributes
            for group in groups(problem, holdout, answers, name, blocks, spec.gate)
        ),
        trials=trials(problem, fit.answers, some, seen, spec),
        outside=outside(problem, holdout, answers, seen, spec),
        cost=Cost(fit.seconds, time.monotonic() - started, _machine()),
    )


def _part(rows: Rows, outputs: tuple[str, ...], spec: Spec) -> Part:
    label: float | Mapping[str, float] = float(rows.labels.mean())
    if spec.outcome.classes:
        label = {name: float((rows.labels == code).mean()) for code, name in enumerate(outputs)}
    return Part(len(rows), rows.times[0], rows.times[-1], label)


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
