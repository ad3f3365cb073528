"""Whether a graph says what the native model says, at every batch size and on the awkward rows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.onnx.truth import Truth
from models.problem import Floats
from models.runtime.model import CHUNK, Model

# The largest sees every row, as bulk does; of the smaller ones, an even sample of at most so many runs,
# and so many inputs handed over in all of them, for a run takes time for each of its columns; or so many
# texts, each of which takes as long as some hundred numbers.
BATCH_SIZES = (1, 2, 63, 64, 1000)
MAX_RUNS, MAX_INPUTS, MAX_TEXTS = 2000, 100_000, 500
# An answer that moves by more than this with the batch, or two that native tells apart by more than
# twice this and the graph the other way round, are no matter of rounding.
STEADY = 1e-5


# What a measure may move by: ten rows of 600 that rounding ties, to AUC, is less.
MOVED = 1e-5


@dataclass(frozen=True, slots=True)
class Limits:
    """What a graph may differ from the native model, whether in its answers, their order, or its measures."""

    max_difference: float
    mean_difference: float
    max_swapped: float
    max_moved: float


# A float32 sum in another order moves a probability by some 1e-6, on average by less than 1e-7. A
# graph that is another model, with rounded weights or fewer trees, is held to its loss instead (see
# variants.py). Neither may move with the batch, or answer what is no answer.
EXACT = Limits(max_difference=1e-5, mean_difference=1e-7, max_swapped=0, max_moved=MOVED)
LOSSY = Limits(max_difference=np.inf, mean_difference=np.inf, max_swapped=np.inf, max_moved=np.inf)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a graph's answers are from the native ones, as shares of `Truth.scale`.

    `unsteady` is the share of the rows whose answer moves by more than 1e-5 with the batch size.
    `swapped` are the rows that native puts clearly after another one (by more than 2e-5), and the
    graph before it. `moved` is the largest move of the holdout's AUC, nDCG or loss (a share of a loss
    above 1). `faults` are the rows whose answer is no number, no probability, or quantiles that cross.
    `reasons` are what does not hold.
    """

    rows: int
    batch_sizes: tuple[int, ...]
    max_difference: float
    mean_difference: float
    unsteady: float
    swapped: int
    moved: float
    faults: int
    holds: bool
    reasons: tuple[str, ...]


def parity(model: Model, truth: Truth, limits: Limits) -> Parity:
    """Compare the graph's answers with the true ones, within limits."""
    native, scale = truth.answers.reshape(len(truth.answers), -1), truth.scale
    answers, seen = _answers(model, truth.frame, native.shape[1])
    with np.errstate(invalid="ignore"):
        differences = np.where(answers == native, 0.0, np.abs(answers - native) / scale)[seen]
        moves = np.where(answers == answers[-1], 0.0, np.abs(answers - answers[-1]) / scale)
    moves[~seen] = 0.0
    faulty = _faulty(answers, model.output)
    columns = zip(native.T, answers[-1].T, scale.T, strict=True)
    found = _Found(
        max_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        unsteady=float((moves.max(axis=(0, 2)) > STEADY).mean()),
        swapped=sum(_swapped(*column) for column in columns),
        moved=float("nan") if faulty[-1, : len(truth.holdout)].any() else truth.moved(answers[-1]),
        faults=int((faulty & seen).any(axis=0).sum()),
    )
    reasons = tuple(_reasons(found, limits, truth))
    return Parity(truth.frame.height, BATCH_SIZES, **found, holds=not reasons, reasons=reasons)


class _Found(TypedDict):
    max_difference: float
    mean_difference: float
    unsteady: float
    swapped: int
    moved: float
    faults: int


def _reasons(found: _Found, limits: Limits, truth: Truth) -> Iterator[str]:
    """What is beyond the limits; NaN is within none."""
    # One list of a ranking that rounding ties moves the mean of all of them.
    moved = limits.max_moved + (
        1 / len(truth.problem.units(truth.holdout)) if truth.problem.kind == "ranking" else 0
    )
    if not found["max_difference"] <= limits.max_difference:
        yield _beyond(found["max_difference"], "at most", limits.max_difference)
    if not found["mean_difference"] <= limits.mean_difference:
        yield _beyond(found["mean_difference"], "on average", limits.mean_difference)
    if found["unsteady"]:
        yield f"{found['unsteady']:.1%} of its answers hang on the rows beside them"
    if found["swapped"] > limits.max_swapped:
        yield f"{found['swapped']} rows are out of the native model's order"
    if not found["moved"] <= moved:
        yield f"its loss, AUC or nDCG is {found['moved']:.1e} off"
    if found["faults"]:
        yield f"{found['faults']} answers are no numbers, no probabilities, or cross"


def _beyond(difference: float, how: str, limit: float) -> str:
    return f"it differs from the native model by {difference:.1e} {how}, and {limit:.0e} is the limit"


def _answers(model: Model, frame: pl.DataFrame, width: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The answers by batch size and row [sizes, n, width], and which of the rows a size has seen.

    The last ones are those of all rows at once, as they are scored in bulk.
    """
    runs, texts = min(MAX_RUNS, MAX_INPUTS // len(model.columns.names)), len(model.columns.texts)
    answers = np.zeros((len(BATCH_SIZES) + 1, frame.height, width))
    seen = np.zeros(answers.shape[:2], bool)
    answers[-1], seen[-1] = model.predict(frame).reshape(frame.height, -1), True
    for offset in range(0, frame.height, CHUNK):
        feed = model.feed(frame[offset : offset + CHUNK])
        for place, size in enumerate(BATCH_SIZES):
            most = max(1, min(runs, MAX_TEXTS // size // texts if texts else runs))
            stride = 1 if size == BATCH_SIZES[-1] else math.ceil(frame.height / size / most)
            for start in range(0, min(CHUNK, frame.height - offset), size * stride):
                found = model.run({name: values[start : start + size] for name, values in feed.items()})
                rows = slice(offset + start, offset + start + len(found))
                answers[place, rows], seen[place, rows] = found.reshape(len(found), -1), True
    return answers, seen


def _swapped(native: Floats, found: Floats, scale: Floats) -> int:
    """The rows that native puts clearly after some other row, and the graph before it."""
    order = np.argsort(native, kind="stable")
    reach = STEADY * scale[order]
    before = np.searchsorted(native[order] + reach, native[order] - reach)  # the rows that are clearly lower
    highest = np.maximum.accumulate(np.append(-np.inf, found[order]))
    return int((highest[before] > found[order]).sum())


def _faulty(answers: Floats, output: str) -> NDArray[np.bool_]:
    """Which rows' answers [..., K] are no answers."""
    wrong = ~np.isfinite(answers)
    if output in ("probability", "probabilities"):
        wrong |= (answers < 0) | (answers > 1)
    if output == "quantiles":
        wrong[..., 1:] |= np.diff(answers, axis=-1) < 0
    loose = np.abs(answers.sum(axis=-1) - 1) > STEADY if output == "probabilities" else False
    return np.asarray(wrong.any(axis=-1) | loose, np.bool_)
