"""How far the distributions of batches lie apart: the threshold for comparing one with the reference."""

import math
from decimal import ROUND_CEILING
from itertools import permutations

import numpy as np

from expectations.proposal.bounds import outward
from expectations.proposal.draft import Entry
from expectations.proposal.profile import Column
from expectations.proposal.seen import Seen

_UNSEEN = 0.01  # weight that is held back for what the reference has not
_FLOOR = 0.05

Weights = dict[str, float]


def of_numbers(seen: Seen, column: str) -> Entry | None:
    """The entry that compares a column of numbers with the reference; None where there is no reference."""
    if seen.parts or not seen.all_filled(column):
        return None
    found = max(_apart(reference, other) for reference, other in permutations(seen.columns[column], 2))
    return _entry(seen, column, found, {"tail_weight_holdout": _UNSEEN, "internal_weight_holdout": _UNSEEN})


def of_values(seen: Seen, column: str) -> Entry | None:
    """The entry that compares a category with the reference; None where there is no reference."""
    if seen.parts or not seen.all_filled(column):
        return None
    counts = [closer.values[column] for closer in seen.closer]
    shares = [{value: count / sum(each.values()) for value, count in each.items()} for each in counts]
    found = max(_unlike(reference, other) for reference, other in permutations(shares, 2))
    return _entry(seen, column, found, {"tail_weight_holdout": _UNSEEN})


def _entry(seen: Seen, column: str, found: float, holdouts: dict[str, float]) -> Entry | None:
    if not math.isfinite(found):
        return None
    kwargs = {
        "column": column,
        "partition_object": {"$PARAMETER": f"reference.{column}"},
        "threshold": outward(2 * found + _FLOOR, 0.01, ROUND_CEILING),
        **holdouts,
    }
    told = f"Divergence between two batches: up to {found:.2g}."
    return Entry("expect_column_kl_divergence_to_be_less_than", "info", kwargs, told, seen.sparse(column))


def _unlike(reference: Weights, other: Weights) -> float:
    """Kullback-Leibler divergence of two categories, as Great Expectations works it out."""
    unseen = other.keys() - reference.keys()
    kept = 1 - _UNSEEN if unseen else 1.0
    return sum(
        weight * math.log(weight / (reference[value] * kept if value in reference else _UNSEEN / len(unseen)))
        for value, weight in other.items()
    )


def _apart(reference: Column, other: Column) -> float:
    """The same of two columns of numbers, in the tenths of the first, as far as their quantiles tell."""
    edges = np.unique([reference.least, *reference.levels[1::2], reference.greatest])
    expected = np.diff(_below(reference, edges)) * (1 - 2 * _UNSEEN)
    found = _below(other, edges)
    inside, tails = np.diff(found), [found[0], 1 - found[-1]]
    weights = np.concatenate((inside, tails))
    held = np.concatenate((np.maximum(expected, _UNSEEN / 10), [_UNSEEN / 2, _UNSEEN / 2]))
    there = weights > 0
    return float(np.sum(weights[there] * np.log(weights[there] / held[there])))


def _below(column: Column, edges: np.ndarray) -> np.ndarray:
    """The share of a column's values that lie below each edge; all, from its greatest on."""
    points = [column.least, *column.levels, column.greatest]
    at, first = np.unique(np.array(points, dtype=float), return_index=True)
    shares = np.interp(edges, at, np.linspace(0, 1, len(points))[first])
    return np.where(edges >= column.greatest, 1.0, shares)
