"""Whether a graph says what the native model says, at every batch size and on the awkward rows."""

import math
from dataclasses import dataclass

import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.onnx.trees import LESS_OR_EQUAL
from models.rows import Columns, numbers
from models.runtime import CHUNK, Model

# The largest sees every row; of the smaller ones, an even sample of at most so many runs.
BATCH_SIZES = (1, 2, 63, 64, 1000)
MAX_RUNS = 2000
# Splits that get rows of their own, an even sample; and rows that show each missing or unseen value.
MAX_SPLITS = 500
SHOWN = 8
UNSEEN = "∅ never seen"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a graph may differ from the native model, in probability, and itself between batch sizes."""

    max_difference: float
    mean_difference: float
    max_unsteady: float


# A float32 sum in another order moves a probability by some 1e-6, on average by less than 1e-7, and no
# answer by more than STEADY. An int8 graph is held to its metrics instead (see export.py); and a sum at
# the edge between two of its steps may fall to the other side in a batch of another size, on a few rows.
STEADY = 1e-5
EXACT = Limits(max_difference=1e-5, mean_difference=1e-7, max_unsteady=0.0)
QUANTIZED = Limits(max_difference=np.inf, mean_difference=np.inf, max_unsteady=0.01)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a graph's probabilities are from the native ones.

    `unsteady` is the share of the rows whose answer moves by more than 1e-5 with the batch size.
    """

    rows: int
    batch_sizes: tuple[int, ...]
    max_difference: float
    mean_difference: float
    unsteady: float
    holds: bool


def parity(model: Model, frame: pl.DataFrame, native: NDArray[np.float64], limits: Limits) -> Parity:
    """Compare the graph's answers with the `native` probabilities [n] of the same rows, within limits."""
    answers = _answers(model, frame)
    differences = np.abs(answers - native)[~np.isneginf(answers)]
    moves = np.where(np.isneginf(answers), 0.0, np.abs(answers - answers[-1]))
    largest, mean = float(differences.max()), float(differences.mean())
    unsteady = float((moves.max(axis=0) > STEADY).mean())
    # NaN is within no limit, so a graph that answers NaN does not hold.
    holds = largest <= limits.max_difference and mean <= limits.mean_difference
    return Parity(
        frame.height, BATCH_SIZES, largest, mean, unsteady, holds and unsteady <= limits.max_unsteady
    )


def compared_rows(model: onnx.ModelProto, columns: Columns, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame's rows, then rows made of them where a conversion would go wrong; the features only.

    Those have a number exactly on a split of the graph's trees, and one float32 to either side; each
    feature missing, then all of them; each category unseen, then all of them.
    """
    base = frame.select(pl.col(columns.numbers).cast(pl.Float32), pl.col(columns.categories).cast(pl.String))
    missing = {name: pl.lit(None, base.schema[name]) for name in columns.names}
    unseen = {name: pl.lit(UNSEEN) for name in columns.categories}
    changes = [{name: value} for name, value in [*missing.items(), *unseen.items()]] + [missing, unseen]
    edges = [base.head(SHOWN).with_columns(**change) for change in changes]
    return pl.concat([base, _split_rows(model, columns, base), *edges])


def _answers(model: Model, frame: pl.DataFrame) -> NDArray[np.float64]:
    """The probabilities by batch size and row [sizes, n]; -inf where a size's sample leaves the row out."""
    answers = np.full((len(BATCH_SIZES), frame.height), -np.inf)
    for offset in range(0, frame.height, CHUNK):
        feed = model.feed(frame[offset : offset + CHUNK])
        for place, size in enumerate(BATCH_SIZES):
            stride = 1 if size == BATCH_SIZES[-1] else math.ceil(frame.height / size / MAX_RUNS)
            for start in range(0, min(CHUNK, frame.height - offset), size * stride):
                found = model.run({name: values[start : start + size] for name, values in feed.items()})
                answers[place, offset + start : offset + start + len(found)] = found
    return answers


def _split_rows(model: onnx.ModelProto, columns: Columns, base: pl.DataFrame) -> pl.DataFrame:
    """Rows of `base` with one number at, just below, and just above a split."""
    features, splits = _splits(model, len(columns.numbers))
    below, above = (np.nextafter(splits, np.float32(side)) for side in (-np.inf, np.inf))
    at = np.column_stack([below, splits, above]).ravel()
    rows = np.arange(len(at)) % base.height
    values = numbers(base, columns)[rows]
    values[np.arange(len(at)), features.repeat(3)] = at
    replaced = pl.DataFrame(dict(zip(columns.numbers, values.T, strict=True))).fill_nan(None)
    return base[rows].with_columns(replaced)


def _splits(model: onnx.ModelProto, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The distinct splits on the first `width` features, as features and values [s]; an even sample."""
    found: set[tuple[int, float]] = set()
    for node in model.graph.node:
        if node.op_type == "TreeEnsemble":
            parts = {part.name: helper.get_attribute_value(part) for part in node.attribute}
            modes, features = numpy_helper.to_array(parts["nodes_modes"]), np.array(parts["nodes_featureids"])
            kept = (modes == LESS_OR_EQUAL) & (features < width)
            values = numpy_helper.to_array(parts["nodes_splits"])[kept].tolist()
            found.update(zip(features[kept].tolist(), values, strict=True))
    sample = sorted(found)[:: math.ceil(len(found) / MAX_SPLITS) or 1]
    return np.array([f for f, _ in sample], np.int64), np.array([v for _, v in sample], np.float32)
