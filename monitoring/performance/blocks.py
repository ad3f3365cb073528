"""The days of a batch, each in a few numbers, so that no later look needs its rows again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from models.measures.discrimination import gaps_of
from models.measures.intervals import local
from models.problem import Floats, Problem, in_one_number
from models.rows import Rows
from monitoring.performance.expected import expected_parts, is_probable

DAY = 86_400_000_000  # microseconds

# What is lost by a row, in a unit that is the same for every batch: `loss` of values is a share of
# what their own batch varies.
_LOSS = {"rmse": "squared_error", "mae": "mae", "pinball": "pinball"}
_MEANS = ("error", "loss", "expected", "constant")
_NONE = (0.0, math.nan)


@dataclass(frozen=True, slots=True)
class Block:
    """The labelled rows of a local day, or of a shorter batch, on average.

    `error` is the label less the answer (of classes: whether the likeliest came, less its probability),
    `loss` what was lost, `expected` what the answers themselves led to expect of it, `constant` what the
    best constant of the batch lost. `gap` is the AUC within the block less the one that its probabilities
    promise, which counts by the weight of its `pairs` of labels (`models.measures.discrimination`). NaN
    stands for what the problem does not have.
    """

    begins: str
    rows: int
    error: float
    loss: float
    expected: float
    constant: float
    pairs: float = 0.0
    gap: float = math.nan

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """A block as the ledger keeps it, where a NaN is None."""
        known: dict[str, Any] = {name: math.nan if value is None else value for name, value in kept.items()}
        return cls(**known)


def blocks_of(problem: Problem, rows: Rows, answers: Floats, timezone: str) -> tuple[Block, ...]:
    """The labelled rows, which come in order of time, by local day; empty where nothing can be judged."""
    units = problem.units(rows)
    if not len(units):
        return ()
    times = local(rows.times, timezone)[units]
    days, block, counts = np.unique(times // DAY, return_inverse=True, return_counts=True)
    columns = {
        "error": _errors(problem, rows, answers)[units],
        "loss": _lost(problem, rows, answers),
        "expected": _expected(problem, rows, answers, len(units)),
        "constant": _lost(problem, rows, np.broadcast_to(problem.constant(rows), answers.shape)),
    }
    means = {name: np.bincount(block, values, len(days)) / counts for name, values in columns.items()}
    first = np.full(len(days), np.iinfo(np.int64).max)
    np.minimum.at(first, block, times)
    begins = np.datetime_as_string(first.astype("datetime64[us]"), unit="m")
    gaps = gaps_of(rows.labels, answers, block) if problem.kind == "binary" else [_NONE] * len(days)
    return tuple(
        Block(
            str(begins[day]),
            int(counts[day]),
            **{name: float(mean[day]) for name, mean in means.items()},
            pairs=gaps[day][0],
            gap=gaps[day][1],
        )
        for day in range(len(days))
    )


def pooled(blocks: list[Block], least: int) -> list[Block]:
    """The blocks, each of fewer than `least` rows together with those after it, until they are enough.

    What is left at the end joins the one before.
    """
    found: list[list[Block]] = [[]]
    for block in blocks:
        if sum(each.rows for each in found[-1]) >= least:
            found.append([])
        found[-1].append(block)
    if len(found) > 1 and sum(each.rows for each in found[-1]) < least:
        last = found.pop()
        found[-1] += last
    return [_one(group) for group in found if group]


def _one(group: list[Block]) -> Block:
    """Several blocks as one, each counting as its rows; of the last, for nothing is sure of it before."""
    rows = [each.rows for each in group]
    means = {
        name: float(np.average([getattr(each, name) for each in group], weights=rows)) for name in _MEANS
    }
    pairs = [each.pairs for each in group]
    known = [each.pairs * each.gap for each in group if each.pairs]
    gap = sum(known) / sum(pairs) if known else math.nan
    return Block(group[-1].begins, sum(rows), **means, pairs=sum(pairs), gap=gap)


def _errors(problem: Problem, rows: Rows, answers: Floats) -> Floats:
    said = in_one_number(problem, answers)
    if problem.kind == "ranking":
        return np.full(len(rows), np.nan)
    if problem.kind == "multiclass":
        return np.asarray((answers.argmax(axis=1) == rows.labels) - said, np.float64)
    return np.asarray(rows.labels - said, np.float64)


def _lost(problem: Problem, rows: Rows, answers: Floats) -> Floats:
    return problem.parts(rows, answers)[_LOSS.get(problem.metric, "loss")]


def _expected(problem: Problem, rows: Rows, answers: Floats, units: int) -> Floats:
    if not is_probable(problem):
        return np.full(units, np.nan)
    return expected_parts(problem, rows, answers, answers)["loss"]
