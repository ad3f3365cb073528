"""Screens for leaks: nothing but the outcome itself tells the outcome this well."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.declarations import RowFeature
from core.learning import ProblemKind
from core.spec import Spec
from models.gate.checks import Check, Floats
from models.gate.duel import Duel
from models.learning.grams import telling
from models.learning.tokens import tokens
from models.problem import Problem
from models.rows import Columns, Rows, columns, numbers, require

BINS = 64
MOST_ROWS = 100_000  # the screens look at about so many
WORDS = 5  # of a text, at so many of its tokens, each alone: together they may honestly tell a lot


@dataclass(frozen=True, slots=True)
class Limits:
    """From how much of the labels on a single feature, or a whole model, tells too much."""

    feature: float
    model: float


# What goes on steadily, such as a meter, is honestly told by its last value: a regression allows for more.
_OF_CLASSES = Limits(0.98, 0.995)
LIMITS: Mapping[ProblemKind, Limits] = {
    "binary": _OF_CLASSES,
    "multiclass": _OF_CLASSES,
    "regression": Limits(0.995, 0.999),
    "ranking": _OF_CLASSES,
}


def leakage(match: Duel, spec: Spec) -> Check:
    """Nothing tells the label outright: no feature by its name, alone or with others, nor the model.

    PerennialError names the features that the rows lack.
    """
    limits, whole = LIMITS[match.problem.kind], match.ours.answers.reshape(len(match.rows), -1)
    told, line = _features(match, spec)
    found = [(strength, limits.feature, f"{name} alone") for name, strength in told.items()]
    found.append((line, limits.model, "a straight line through the numbers"))
    found.append((match.problem.told(match.rows, whole), limits.model, match.ours.id))
    value, limit, _ = max(found, key=lambda each: each[0] - each[1])
    faults = [f"{name} is the label {spec.outcome.label}, and a feature" for name in _named(spec)]
    faults += [
        f"{what} tells {most:.4f}, too good to be true" for most, limit, what in found if most >= limit
    ]
    top = max(found, key=lambda each: each[0])
    detail = "; ".join(faults[:3]) or f"{top[2]} tells most, {top[0]:.4f}"
    detail += f" (allowed: below {limits.feature:g} for a feature, {limits.model:g} for a model)"
    return Check("leakage", not faults, value, limit, detail)


def _features(match: Duel, spec: Spec) -> tuple[dict[str, float], float]:
    """How much each feature tells, and how much all numbers do together in a straight line."""
    taken = columns(spec)
    require(match.rows.frame, taken.names)
    some = _some(match.rows)
    rows, half = match.rows.at(some), match.blocks.block[some] % 2 == 0
    values = {name: rows.frame[name].cast(pl.String) for name in taken.categories}
    values |= {name: rows.frame[name] for name in taken.numbers}
    told = {name: alone(match.problem, rows, each, half) for name, each in values.items()}
    for name, found in zip(taken.texts, tokens(rows.frame, taken), strict=True):
        there = found.often()[:, list(telling(found, match.problem.targets(rows))[:WORDS])] > 0
        ways = [pl.Series(name, each) for each in there.toarray().T.astype(np.float64)]
        told[name] = max((alone(match.problem, rows, each, half) for each in ways), default=0.0)
    return told, line_through(match.problem, rows, taken, half)


def _named(spec: Spec) -> Iterator[str]:
    """The features that are the label by name, or by the column that they are."""
    for name, feature in spec.features.items():
        column = feature.column if isinstance(feature, RowFeature) else name
        if spec.outcome.label in (name, column):
            yield name


def _some(rows: Rows) -> NDArray[np.bool_]:
    """Every k-th row, or list [n]."""
    step = len(rows) // MOST_ROWS + 1
    place = np.arange(len(rows)) if rows.groups is None else rows.groups
    return np.asarray(place % step == 0)


def alone(problem: Problem, rows: Rows, values: pl.Series, half: NDArray[np.bool_]) -> float:
    """How much one feature tells, by what its values meant in the other half of the blocks.

    A category that reads as a number is tried as one, too. A number is for a ranking also tried as
    it is: it may order each list and yet mean something else in each.
    """
    known, targets = values.cast(pl.Float64, strict=False).fill_nan(None), problem.targets(rows)
    ways = [_bins(values)]
    if values.dtype == pl.String and known.null_count() < len(known):
        ways.append(_bins(known))
    found = [problem.told(rows, _meant(targets, bins, half)) for bins in ways]
    if problem.kind == "ranking" and known.null_count() < len(known):
        scores = known.fill_null(strategy="min").to_numpy()[:, None]
        found += [problem.told(rows, scores), problem.told(rows, -scores)]
    return max(found)


def _bins(values: pl.Series) -> NDArray[np.intp]:
    """The bin of each value [n]: a category, or a quantile of a number; missing values have their own."""
    if values.dtype == pl.String:
        return (values.rank("dense").fill_null(0)).to_numpy().astype(np.intp)
    floats = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    known = np.sort(floats[~np.isnan(floats)])
    edges = known[np.arange(1, BINS) * len(known) // BINS]
    return np.where(np.isnan(floats), 0, 1 + np.searchsorted(edges, floats, side="left"))


def _meant(targets: Floats, bins: NDArray[np.intp], half: NDArray[np.bool_]) -> Floats:
    """The mean targets [n, K] of the other half's rows of the same bin; of all, where it has none."""
    scores, size = np.empty_like(targets), int(bins.max()) + 1
    for known in (half, ~half):
        counts = np.bincount(bins[known], minlength=size)
        for output, target in enumerate(targets.T):
            sums = np.bincount(bins[known], target[known], size)
            means = np.where(counts > 0, sums / np.maximum(counts, 1), target[known].mean())
            scores[~known, output] = means[bins[~known]]
    return scores


def line_through(problem: Problem, rows: Rows, taken: Columns, half: NDArray[np.bool_]) -> float:
    """How much a straight line through all numbers tells, drawn through the other half: a sum of parts."""
    values = numbers(rows.frame, taken).astype(np.float64)
    spread = np.nanstd(values, axis=0) if values.size else np.empty(0)
    values = values[:, spread > 0]
    if not values.shape[1]:
        return 0.0
    scaled = np.nan_to_num((values - np.nanmean(values, axis=0)) / spread[spread > 0])
    design = np.column_stack([np.ones(len(rows)), scaled])
    targets = rows.labels[:, None] if problem.kind == "regression" else problem.targets(rows)
    scores = np.empty_like(targets)
    for known in (half, ~half):
        seen = design[known]
        gram = seen.T @ seen + 1e-9 * len(seen) * np.eye(seen.shape[1])  # so that twins are no trouble
        scores[~known] = design[~known] @ np.linalg.solve(gram, seen.T @ targets[known])
    return problem.told(rows, scores)
