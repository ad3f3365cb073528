"""Performance without labels: what the answers to a batch, calibrated anew, lead to expect of them.

Confidence-based estimation (NannyML's CBPE; Guillory et al., 2021, for accuracy), with one difference
that measurement asked for: the answers are first calibrated anew on the newest labelled rows that the
champion did not learn from. On departures from New York that halved the error: see
docs/decisions/0021-estimates-advise.md.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from models.problem import Floats, Problem
from models.rows import Rows
from monitoring.performance.expected import expected_measures, is_probable, off_by
from monitoring.performance.refit import recalibrated, refit

CONFIDENCE = 0.95
# Fewer labelled rows neither calibrate nor say how far an estimate may be off.
LEAST = 200


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure that was estimated without a label, and its 95 % interval (NaN where none is known)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Past:
    """Labelled rows that the champion did not learn from, its answers to them, and the day of each [n].

    They are older than the batch, and their labels were known when it was scored. `errors` are what
    earlier estimates turned out to be off by (estimate less measure), by measure.
    """

    rows: Rows
    answers: Floats
    day: NDArray[np.int64]
    errors: Mapping[str, Sequence[float]]


def estimates(problem: Problem, past: Past, rows: Rows, answers: Floats, days: int) -> dict[str, Estimate]:
    """The measures of the answers to a batch of so many `days`, whose labels are not looked at.

    Of `rows` only the number and the columns count. Empty where the answers are no probabilities (see
    `monitoring.performance.direct`), and where too few labels are known.
    """
    if not is_probable(problem) or len(past.rows) < LEAST or not len(rows) or problem.lack(past.rows):
        return {}
    calibration = refit(problem, past.answers, past.rows.labels)

    def chances(answers: Floats) -> Floats:
        return recalibrated(calibration, answers) if calibration else answers

    found = expected_measures(problem, rows, answers, chances(answers))
    off = off_by(problem, past.rows, past.answers, chances(past.answers))
    return {name: within(value, off[name], past, name, days) for name, value in found.items()}


def within(value: float, off: Floats, past: Past, name: str, days: int) -> Estimate:
    """An estimate with how far it may be off: as labels strayed by day, or as earlier estimates did.

    `off` [n] is how far each past row strayed from what was expected of it. The mean over as many days
    as the batch has strays as the days do, and so did the mean of the past; where earlier estimates were
    further off than that, as far.
    """
    known, block = np.unique(past.day, return_inverse=True)
    if len(known) < 2 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan)
    rows = np.bincount(block)
    strayed = np.bincount(block, off - off.mean())
    spread = math.sqrt(float((strayed**2).sum()) / (len(known) - 1)) / float(rows.mean())
    error = spread * math.sqrt(1 / max(days, 1) + 1 / len(known))
    if earlier := past.errors.get(name, ()):
        error = max(error, math.sqrt(float(np.mean(np.square(earlier)))))
    reach = float(stdtrit(len(known) - 1, (1 + CONFIDENCE) / 2)) * error
    return Estimate(value, value - reach, value + reach)
