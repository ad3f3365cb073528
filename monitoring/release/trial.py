"""The test of two versions by a stated metric: which is better, as soon as that is sure and no sooner."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from core.errors import PerennialError
from core.spec import Spec
from models.measures.paired import Interval
from models.measures.sequential import Arm, difference
from models.problem import problem_of
from models.rows import require
from monitoring.release.losses import labelled, losses
from monitoring.release.sides import Sides, arms

TrialMetric = Literal["loss", "label"]
TrialState = Literal["collecting", "a better", "b better", "no difference found"]
_MEANS = {"loss": "loss", "label": "outcome"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tested, as stated before it begins.

    The versions `a` and `b`; the metric, `loss` (the problem's own, lower is better) or `label` (the mean
    outcome, higher is better); how many entities with a known outcome each arm has at the least before
    anything is said, and at the most before the trial is over. PerennialError where these do not fit.
    """

    a: str
    b: str
    metric: TrialMetric = "loss"
    minimum: int = 1_000
    maximum: int = 100_000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.a == self.b:
            raise PerennialError(f"a trial of {self.a} against itself: name two versions")
        if not 1 <= self.minimum <= self.maximum:
            raise PerennialError(
                f"a trial of {self.minimum} to {self.maximum} entities an arm: the minimum should be 1 or"
                " more, and no more than the maximum"
            )
        if not 0.5 < self.confidence < 1:
            raise PerennialError(f"a trial's confidence of {self.confidence:g} should be above 0.5, below 1")


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial shows by now: `difference` is the metric of b less that of a, valid at every look.

    `entities` and `rows` are those with a known outcome, of a and of b. The first state that is not
    `collecting` ends the trial.
    """

    state: TrialState
    reason: str
    difference: Interval
    means: tuple[float, float]
    entities: tuple[int, int]
    rows: tuple[int, int]


def result(trial: Trial, spec: Spec, rows: pl.DataFrame) -> TrialResult:
    """What the rows of `served/predictions` of both versions, with their `label`, show by now.

    PerennialError when a column is missing, or the problem has no such metric.
    """
    a, b = _arms(trial, spec, rows)
    entities = a.entities, b.entities
    means = (a.mean, b.mean) if min(entities) else (float("nan"), float("nan"))
    found = difference(b, a, trial.minimum, trial.confidence)
    state = _state(trial, found, entities)
    reason = _reason(trial, state, found, means, entities)
    return TrialResult(state, reason, found, means, entities, (a.count, b.count))


def _arms(trial: Trial, spec: Spec, rows: pl.DataFrame) -> tuple[Arm, Arm]:
    """The arms of a and of b."""
    problem = problem_of(spec)
    require(rows, ("label",))
    if trial.metric == "label" and problem.kind not in ("binary", "regression"):
        raise PerennialError(
            f"the labels of a {problem.kind} problem have no mean that is better when higher: test by loss"
        )
    known = labelled(Sides.of(rows, trial.b, trial.a))
    if trial.metric == "label" or not known.height:
        b, a = arms(known, known["label"].cast(pl.Float64).to_numpy().astype(np.float64))
    else:
        b, a = losses(known, problem, spec.outcome).arms()
    return a, b


def _state(trial: Trial, found: Interval, entities: tuple[int, int]) -> TrialState:
    if min(entities) < trial.minimum:
        return "collecting"
    if found.low > 0:
        return "b better" if trial.metric == "label" else "a better"
    if found.high < 0:
        return "a better" if trial.metric == "label" else "b better"
    return "no difference found" if min(entities) >= trial.maximum else "collecting"


def _reason(
    trial: Trial, state: TrialState, found: Interval, means: tuple[float, float], entities: tuple[int, int]
) -> str:
    counted = f"{entities[0]:,} entities of {trial.a} and {entities[1]:,} of {trial.b}"
    if min(entities) < trial.minimum:
        return f"The outcomes of {counted} are known: {trial.minimum:,} of each are needed"
    what = _MEANS[trial.metric]
    told = (
        f"The mean {what} of {trial.b} is {means[1]:.4f}, of {trial.a} {means[0]:.4f}: {found}, by {counted}"
    )
    match state:
        case "collecting":
            return f"{told}; the interval reaches 0, and the trial goes on to {trial.maximum:,} of each"
        case "no difference found":
            return f"{told}; the interval still reaches 0, and the {trial.maximum:,} of each are there"
        case _:
            better = trial.a if state == "a better" else trial.b
            return f"{told}; {better} is surely better"
