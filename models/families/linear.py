"""A linear model on standardised numbers, missing indicators, one-hot categories and tokens: the baseline."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import Field
from scipy import sparse

from core.learning import Range
from core.spec import Model
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able, shares
from models.learning.encode import CategoryCodes, Scaling, fit_codes, fit_scaling
from models.learning.grams import Grams, in_grains, load_grams, save_grams
from models.learning.losses import Truth, least
from models.learning.tokens import Tokens, tokens
from models.learning.truth import best_constant, truth_of
from models.onnx.graph import from_linear
from models.onnx.texts import BUCKETS
from models.rows import Columns, Floats, categories, numbers

name = "linear"
complexity = 1
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "targets"})
space: Mapping[str, Range] = {"strength": Range(low=0.001, high=10.0, log=True)}


# An even sample of so many train rows tells what features add on average.
SPREAD_ROWS = 20_000


class Parameters(Model):
    """What `training.parameters.linear` may say.

    `strength` is the inverse of the L2 penalty's weight, `text_strength` that of the tokens of
    texts, each of which is in few rows and small; a category of fewer than `min_rows` training rows
    counts as unseen.
    """

    strength: float = Field(default=0.05, gt=0)
    text_strength: float = Field(default=5.0, gt=0)
    min_rows: int = Field(default=20, ge=1)
    iterations: int = Field(default=500, ge=1)


@dataclass(frozen=True, slots=True)
class Linear:
    """The fitted weights [D, K] over [standardised numbers, missing indicators, one-hot codes].

    `grams` are the weights of the tokens of texts, in units of `scale`. `means` [features, K] are what
    each feature added on average to the margins of the train rows.
    """

    columns: Columns
    scaling: Scaling
    encodings: tuple[CategoryCodes, ...]
    grams: tuple[Grams, ...]
    scale: float
    weights: Floats
    intercept: Floats
    means: Floats
    shares: Mapping[str, float]

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The margins of each row [n, K]."""
        return np.asarray(self.terms(frame).sum(1) + self.intercept, np.float64)

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        texts = [(each, self.scale) for each in self.grams]
        return from_linear(self.columns, self.scaling, self.weights, self.intercept, self.encodings, texts)

    def save(self, folder: Path) -> None:
        """Write `linear.json`, and the weights of tokens beside it."""
        told = asdict(replace(self, grams=()))
        (folder / "linear.json").write_text(json.dumps(told, default=_plain))
        save_grams(self.grams, folder)

    def importance(self) -> dict[str, float]:
        """Each feature's share of the spread that its terms gave the margins of the training rows."""
        return dict(self.shares)

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """What each feature's terms add to the margins, less their mean in training [n, features, K].

        Those are SHAP values of features that are independent of each other (Lundberg and Lee, 2017).
        """
        return self.terms(frame) - self.means

    def terms(self, frame: pl.DataFrame) -> Floats:
        """What each feature adds to each margin of each row [n, features, K], in the order of the columns."""
        count, starts = len(self.columns.numbers), _starts(len(self.columns.numbers), self.encodings)
        known, missing = self.scaling.apply(numbers(frame, self.columns))
        found = np.empty((frame.height, len(self.columns.names), self.weights.shape[1]))
        found[:, :count] = known[:, :, None] * self.weights[:count]
        found[:, :count] += missing[:, :, None] * self.weights[count : 2 * count]
        named = categories(frame, self.columns)
        for place, (series, encoding, start) in enumerate(zip(named, self.encodings, starts, strict=True)):
            found[:, count + place] = self.weights[start + encoding.apply(series)]
        read = tokens(frame, self.columns)
        for place, (each, grams) in enumerate(zip(read, self.grams, strict=True), count + len(named)):
            found[:, place] = self.scale * grams.margins(each)
        return found


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a linear model is made of no other family."""
    return ()


def fit(job: Job) -> Linear:
    """Fit by L-BFGS-B, which has one optimum (but of the focal loss) and so needs no seed and no early stop.

    The loss is the logistic, the cross-entropy, the squared, the absolute or the pinball error by the
    problem and its metric; of a ranking that of `models.learning.losses.listwise`. Monotone features
    have weights of one sign only.
    """
    require_able(name, abilities, job)
    train, columns, truth = job.train, job.columns, truth_of(job)
    chosen = read_parameters(Parameters, name, job.parameters)
    scaling = fit_scaling(numbers(train.frame, columns))
    encodings = tuple(fit_codes(series, chosen.min_rows) for series in categories(train.frame, columns))
    read = tokens(train.frame, columns)
    design = _design(train.frame, columns, scaling, encodings, read)
    weights, intercept, steps = _weights(design, truth, chosen, _signs(job), len(read))
    first, unit = len(weights) - BUCKETS * len(read), truth.unit
    parts = in_grains(weights[first:]).reshape(len(read), BUCKETS, truth.outputs)
    grams = tuple(Grams(name, part) for name, part in zip(columns.texts, parts, strict=True))
    own, intercept = weights[:first] * unit.scale, unit.of(intercept)
    bare = Linear(columns, scaling, encodings, grams, unit.scale, own, intercept, np.zeros(0), {})
    terms = bare.terms(train.frame.gather_every(math.ceil(len(train) / SPREAD_ROWS)))
    model = replace(bare, means=terms.mean(0), shares=shares(columns, terms.std(0).sum(1)))
    report_losses(job, model, steps)
    return model


def load(folder: Path) -> Linear:
    """Read back what `Linear.save` wrote."""
    saved = json.loads((folder / "linear.json").read_text())
    weights, intercept, means = (np.array(saved[part]) for part in ("weights", "intercept", "means"))
    return Linear(
        Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()}),
        Scaling(**{part: np.array(values, np.float32) for part, values in saved["scaling"].items()}),
        tuple(CategoryCodes(**encoding) for encoding in saved["encodings"]),
        load_grams(folder),
        saved["scale"],
        weights,
        intercept,
        means,
        saved["shares"],
    )


def _weights(
    design: sparse.csr_matrix, truth: Truth, chosen: Parameters, signs: NDArray[np.int64], texts: int
) -> tuple[Floats, Floats, int]:
    """The weights [D, K] and the intercept [K], and how many steps it took; the intercept has no penalty.

    The last columns of the design are the tokens of so many texts.
    """
    count, outputs = design.shape[1], truth.outputs
    base, turned = best_constant(truth), design.T.tocsr()

    def margins(flat: Floats) -> Floats:
        weights = flat.reshape(count + 1, outputs)
        return np.asarray(design @ weights[:-1] + weights[-1])

    def slope(by_margin: Floats) -> Floats:
        return np.vstack([turned @ by_margin, by_margin.sum(0)]).ravel()

    start = np.vstack([np.zeros((count, outputs)), base]).ravel()
    parts = np.array([count - texts * BUCKETS, texts * BUCKETS, 1]) * outputs
    penalty = np.repeat([1 / chosen.strength, 1 / chosen.text_strength, 0.0], parts)
    flat, steps = least(
        truth, margins, slope, start, penalty, chosen.iterations, _bounds(signs, outputs, start.size)
    )
    weights = flat.reshape(count + 1, outputs)
    return weights[:-1], weights[-1], steps


def _bounds(
    signs: NDArray[np.int64], outputs: int, count: int
) -> list[tuple[float | None, float | None]] | None:
    """Of `count` weights those of numbers that go one way only; None where none does."""
    if not signs.any():
        return None
    found: list[tuple[float | None, float | None]] = [
        (0.0 if sign > 0 else None, 0.0 if sign < 0 else None) for sign in signs for _ in range(outputs)
    ]
    return found + [(None, None)] * (count - len(found))


def _signs(job: Job) -> NDArray[np.int64]:
    """The direction in which each number's weight may go, 0 for any."""
    return np.array([job.monotone.get(number, 0) for number in job.columns.numbers], np.int64)


def _design(
    frame: pl.DataFrame,
    columns: Columns,
    scaling: Scaling,
    encodings: Sequence[CategoryCodes],
    read: Sequence[Tokens],
) -> sparse.csr_matrix:
    known, missing = scaling.apply(numbers(frame, columns))
    parts = [sparse.csr_matrix(np.hstack([known, missing]))]
    for series, encoding in zip(categories(frame, columns), encodings, strict=True):
        codes, rows = encoding.apply(series), frame.height
        shape = (rows, encoding.size)
        parts.append(sparse.csr_matrix((np.ones(rows), codes, np.arange(rows + 1)), shape))
    return sparse.hstack([*parts, *(each.shares() for each in read)], format="csr")


def _starts(count: int, encodings: Sequence[CategoryCodes]) -> list[int]:
    """Where the weights of each one-hot category start."""
    edges = np.cumsum([2 * count, *(encoding.size for encoding in encodings)])
    return [int(edge) for edge in edges[:-1]]


def _plain(value: Any) -> Any:
    return value.tolist()
