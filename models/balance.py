"""How much each training row counts: by its age, and by how rare its class is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.learning import Training
from models.problem import Problem
from models.rows import Floats, Rows

# Sampling keeps so many rows of a class for each row of the rarest.
MOST = 4


@dataclass(frozen=True, slots=True)
class Balanced:
    """The rows to fit on and to stop by, with their weights, and what is added to the margins later [K].

    With class weights or sampling a fit sees other shares of the classes than there are: its log-odds
    of a class are off by the logarithm of the class's weight, or of the share of its rows that were
    kept (Elkan, "The foundations of cost-sensitive learning", 2001; He et al., "Practical lessons
    from predicting clicks on ads at Facebook", 2014). The `offset` takes that back.
    """

    train: Rows
    validation: Rows
    offset: tuple[float, ...]


def balanced(train: Rows, validation: Rows, problem: Problem, rules: Training) -> Balanced:
    """The rows of a fit by the rules for age and imbalance.

    A row that is one half-life older than the newest weighs half. Classes weigh alike in sum, or are
    sampled down to `MOST` rows for each of the rarest. Validation rows weigh as what was done to their
    class, or a fit would be stopped for not saying what it is later made to say.
    """
    weights = _aged(train, rules)
    if rules.imbalance not in ("weights", "sampling"):
        return Balanced(replace(train, weights=weights), validation, (0.0,) * len(problem.outputs))
    codes, later = train.labels.astype(np.int64), validation.labels.astype(np.int64)
    counts = np.bincount(codes, minlength=max(2, len(problem.outputs)))
    there = counts[counts > 0]
    if rules.imbalance == "weights":
        shares = np.where(counts > 0, len(train) / (len(there) * np.maximum(counts, 1)), 1.0)
        seen = replace(train, weights=shares[codes] if weights is None else weights * shares[codes])
    else:
        shares = np.minimum(1.0, MOST * there.min() / np.maximum(counts, 1))
        kept = np.random.default_rng(rules.seed).random(len(train)) < shares[codes]
        seen = replace(train, weights=weights).at(kept)
    return Balanced(seen, replace(validation, weights=shares[later]), _offset(shares))


def _aged(train: Rows, rules: Training) -> Floats | None:
    """The weight of each row by its age [n], 1 for the newest; None where age does not count."""
    if rules.half_life is None:
        return None
    age = (train.times[-1] - train.times).dt.total_seconds().to_numpy()
    return np.asarray(0.5 ** (age / rules.half_life.total_seconds()), np.float64)


def _offset(shares: NDArray[np.float64]) -> tuple[float, ...]:
    """What takes the shares back: of the log-odds where there are two classes, else of each logit."""
    logs = np.log(shares)
    offset = [logs[0] - logs[1]] if len(shares) == 2 else -logs
    return tuple(float(value) for value in offset)
