"""What the tokens of a text say: weights of each, fitted as a linear model, and the ones that tell most."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.learning.losses import Truth, least
from models.learning.tokens import Tokens
from models.learning.truth import best_constant
from models.onnx.texts import BUCKETS, ROOTS
from models.rows import Floats

# Weights are whole numbers of these, and none is larger: float32 then adds up any text's exactly, in any
# order, and no tree sees another number where the texts beside a row are longer.
GRAIN, LARGEST = 2.0**-10, 12.0
# So many tokens are told of one by one, each of which is in so many rows.
TELLING, MIN_ROWS = 64, 20
# The inverse of the penalty's weight, and the steps, of a fit whose margins only feed trees.
STRENGTH, STEPS = 5.0, 60


@dataclass(frozen=True, slots=True, eq=False)
class Grams:
    """The weights float32 [BUCKETS, K] of a text's tokens, in grains, and the most `telling` tokens."""

    column: str
    weights: NDArray[np.float32]
    telling: tuple[int, ...] = field(default=())

    @property
    def width(self) -> int:
        """How many inputs of trees it makes: margins, two counts, and one for each telling token."""
        return int(self.weights.shape[1]) + 2 + len(self.telling)

    def inputs(self, tokens: Tokens) -> NDArray[np.float32]:
        """What trees are told of a text, float32 [n, width]: see `width`."""
        return np.column_stack([self.margins(tokens), self.told(tokens)])

    def margins(self, tokens: Tokens) -> NDArray[np.float32]:
        """What a text adds to each margin, float32 [n, K]: its tokens' weights by the root of their number.

        It is to the last bit what the graph says.
        """
        total = (tokens.often() @ self.weights.astype(np.float64)).astype(np.float32)
        return np.asarray(total * ROOTS[tokens.known][:, None], np.float32)

    def told(self, tokens: Tokens) -> NDArray[np.float32]:
        """The counts, and which telling tokens are there, float32 [n, 2 + len(telling)]."""
        there = tokens.often()[:, list(self.telling)] > 0
        return np.column_stack([tokens.counts, there.toarray().astype(np.float32)])


def fit_weights(seen: sparse.csr_matrix, truth: Truth, strength: float, steps: int) -> NDArray[np.float32]:
    """The weights [BUCKETS, K] of tokens, of which rows have the shares [n, BUCKETS], in grains."""
    outputs, turned = truth.outputs, seen.T.tocsr()

    def margins(flat: Floats) -> Floats:
        weights = flat.reshape(-1, outputs)
        return np.asarray(seen @ weights[:-1] + weights[-1])

    def slope(by_margin: Floats) -> Floats:
        return np.vstack([turned @ by_margin, by_margin.sum(0)]).ravel()

    start = np.vstack([np.zeros((BUCKETS, outputs)), best_constant(truth)]).ravel()
    penalty = np.repeat([1 / strength, 0.0], [BUCKETS * outputs, outputs])
    flat, _ = least(truth, margins, slope, start, penalty, steps)
    return in_grains(flat.reshape(-1, outputs)[:-1])


def in_grains(weights: Floats) -> NDArray[np.float32]:
    """The weights that are next to these, of the same shape.

    >>> in_grains(np.array([0.3, 50.0])).tolist()
    [0.2998046875, 12.0]
    """
    return (np.round(weights / GRAIN) * GRAIN).clip(-LARGEST, LARGEST).astype(np.float32)


def fit_grams(
    column: str, tokens: Tokens, truth: Truth, targets: Floats, folds: NDArray[np.int64]
) -> tuple[Grams, NDArray[np.float32]]:
    """What trees are told of a text, and of the rows that it was fitted on, float32 [n, width].

    A row's own margins come from weights that were fitted on the other folds only, so that they are
    as unsure as those of a row to come. `targets` [n, K] are what telling tokens go with.
    """
    seen = tokens.shares()
    margins = np.zeros((len(folds), truth.outputs), np.float32)
    for fold in np.unique(folds):
        others, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        part = Grams(column, fit_weights(seen[others], truth.at(others), STRENGTH, STEPS))
        margins[own] = part.margins(tokens.at(own))
    found = Grams(column, fit_weights(seen, truth, STRENGTH, STEPS), telling(tokens, targets))
    return found, np.column_stack([margins, found.told(tokens)])


def telling(tokens: Tokens, targets: Floats) -> tuple[int, ...]:
    """The numbers of the tokens whose presence goes furthest with or against a target [n, K].

    By the mean of the target where they are less that of all, over its standard error.
    """
    there = tokens.often() > 0
    rows = np.asarray(there.sum(0)).ravel()
    off = (targets - targets.mean(0)) / np.maximum(targets.std(0), 1e-12)
    sums = np.abs(there.T @ off).max(axis=1)
    strength = np.where(rows >= MIN_ROWS, sums / np.sqrt(np.maximum(rows, 1)), 0.0)
    ranked = np.argsort(-strength, kind="stable")[:TELLING]
    return tuple(int(number) for number in ranked[strength[ranked] > 0])


def save_grams(grams: Sequence[Grams], folder: Path) -> None:
    """Write `grams.npz`, the weights of each text, and `grams.json`; nothing where there are no texts."""
    if grams:
        weights = {str(place): each.weights for place, each in enumerate(grams)}
        np.savez(folder / "grams.npz", allow_pickle=False, **weights)
        told = [{"column": each.column, "telling": each.telling} for each in grams]
        (folder / "grams.json").write_text(json.dumps(told))


def load_grams(folder: Path) -> tuple[Grams, ...]:
    """Read back what `save_grams` wrote."""
    if not (folder / "grams.json").exists():
        return ()
    told = json.loads((folder / "grams.json").read_text())
    with np.load(folder / "grams.npz", allow_pickle=False) as arrays:
        return tuple(
            Grams(each["column"], arrays[str(place)], tuple(each["telling"]))
            for place, each in enumerate(told)
        )
