"""What a model goes by: how much each feature adds to its margins, and in which direction."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.spec import Spec
from models.card.outside import Seen
from models.card.sample import Answers, as_read, asked
from models.card.usual import usual
from models.family import Fitted
from models.measures.intervals import drawn_blocks
from models.measures.paired import Blocks, Interval
from models.measures.ranks import correlation
from models.problem import Floats, Problem
from models.rows import Columns, Rows

Method = Literal["shap", "permutation"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
REPEATS = 2


@dataclass(frozen=True, slots=True)
class Added:
    """What each feature adds to each margin of each row [n, features, K], in the order of `columns`.

    They are SHAP values where the model has exact ones. Where it has none they are by occlusion:
    the margin less that of the same row with the feature's usual value in training, the median, the
    most frequent category, or no text; these do not sum to the margin.
    """

    exact: bool
    values: Floats

    @classmethod
    def of(cls, model: Fitted, frame: pl.DataFrame, seen: Seen) -> "Added":
        """What the features add on these rows."""
        found = model.contributions(frame)
        if found is not None:
            return cls(True, found)
        frame, ordinary = as_read(frame, seen.columns), usual(seen)
        whole = model.margins(frame)
        frames = (frame.with_columns(ordinary[name]) for name in seen.columns.names)
        return cls(False, np.stack([whole - each for each in asked(model.margins, frames)], axis=1))


@dataclass(frozen=True, slots=True)
class Effect:
    """What one feature does to the answers.

    `weight` is the mean size of what it adds to a margin or, where there are no SHAP values, the
    rise of the loss when its values are shuffled among the rows. `quantiles` (5, 25, 50, 75, 95 %)
    are of what it adds to `output`, the margin that it moves most; `direction` is the rank
    correlation of that with its value, so 1 where high values raise it: None for a category, a
    text, and where it is always the same.
    """

    feature: str
    weight: Interval
    output: str
    quantiles: tuple[float, ...]
    direction: float | None


def effects(
    problem: Problem, model: Fitted, answers: Answers, rows: Rows, seen: Seen, spec: Spec
) -> tuple[Method, tuple[Effect, ...]]:
    """How the weights were found, and every feature's effect on these rows, the weightiest first."""
    added, blocks = Added.of(model, rows.frame, seen), drawn_blocks(rows, spec)
    if added.exact:
        sizes = np.abs(added.values).mean(axis=2).T
        weights = [blocks.mean(size, spec.gate.confidence) for size in sizes]
    else:
        weights = _rises(problem, answers, rows, blocks, seen.columns, spec)
    found = [
        _effect(name, weight, rows.frame[name], values, problem, name in seen.columns.numbers)
        for name, weight, values in zip(
            seen.columns.names, weights, np.moveaxis(added.values, 1, 0), strict=True
        )
    ]
    ranked = sorted(found, key=lambda effect: -effect.weight.value)
    return "shap" if added.exact else "permutation", tuple(ranked)


def _effect(
    name: str, weight: Interval, column: pl.Series, values: Floats, problem: Problem, is_number: bool
) -> Effect:
    moved = int(np.abs(values).mean(axis=0).argmax())
    quantiles = tuple(float(each) for each in np.quantile(values[:, moved], QUANTILES))
    direction = _correlation(column.cast(pl.Float64).to_numpy(), values[:, moved]) if is_number else None
    return Effect(name, weight, problem.outputs[moved], quantiles, direction)


def _rises(
    problem: Problem, answers: Answers, rows: Rows, blocks: Blocks, columns: Columns, spec: Spec
) -> list[Interval]:
    """By how much the loss rises when each feature is shuffled (Breiman, "Random forests", 2001)."""
    random = np.random.default_rng(spec.training.seed)
    orders = [random.permutation(len(rows)) for _ in range(REPEATS)]
    of_units = Blocks(blocks.block[problem.units(rows)], blocks.weights)
    frame = as_read(rows.frame, columns)
    losses = problem.losses(rows, answers(frame))
    shuffled = (frame.with_columns(frame[name][order]) for name in columns.names for order in orders)
    rises = [problem.losses(rows, told) - losses for told in asked(answers, shuffled)]
    means = np.reshape(rises, (len(columns.names), REPEATS, -1)).mean(axis=1)
    return [of_units.mean(rise, spec.gate.confidence) for rise in means]


def _correlation(values: NDArray[np.float64], added: Floats) -> float | None:
    """Spearman's rank correlation over the rows whose value is known."""
    known = ~np.isnan(values)
    if not known.any() or np.ptp(values[known]) == 0 or np.ptp(added[known]) == 0:
        return None
    return correlation(values[known], added[known])
