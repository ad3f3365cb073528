"""Logistic regression on standardised numbers, missing indicators and one-hot categories: the baseline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import Field
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from core.learning import Range
from core.spec import Model
from models.calibrate import sigmoid
from models.encode import CategoryCodes, Scaling, fit_codes, fit_scaling
from models.evaluate import log_loss
from models.family import Ability, Job, Parameter, read_parameters, require_able, shares
from models.onnx.graph import from_linear
from models.rows import Columns, categories, numbers

name = "linear"
complexity = 1
abilities: frozenset[Ability] = frozenset()
space: Mapping[str, Range] = {"strength": Range(low=0.001, high=10.0, log=True)}


class Parameters(Model):
    """What `training.parameters.linear` may say.

    `strength` is the inverse of the L2 penalty's weight; a category of fewer than `min_rows`
    training rows counts as unseen.
    """

    strength: float = Field(default=0.05, gt=0)
    min_rows: int = Field(default=20, ge=1)
    iterations: int = Field(default=500, ge=1)


@dataclass(frozen=True, slots=True)
class Linear:
    """The fitted weights over [standardised numbers, missing indicators, one-hot codes]."""

    columns: Columns
    scaling: Scaling
    encodings: tuple[CategoryCodes, ...]
    weights: NDArray[np.float64]
    intercept: float
    shares: Mapping[str, float]

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The margins of each row [n, K]."""
        margins: NDArray[np.float64] = np.sum(self._terms(frame), axis=0) + self.intercept
        return margins[:, None]

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        mean, scale, weights = self.scaling.mean, self.scaling.scale, self.weights.astype(np.float32)
        return from_linear(self.columns, mean, mean, scale, weights, self.intercept, self.encodings)

    def save(self, folder: Path) -> None:
        """Write `linear.json`."""
        (folder / "linear.json").write_text(json.dumps(asdict(self), default=_plain))

    def importance(self) -> dict[str, float]:
        """Each feature's share of the spread that its terms gave the margins of the training rows."""
        return dict(self.shares)

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        """What each feature's terms add to the margin, less their mean in training [n, features, K]."""
        return None

    def _terms(self, frame: pl.DataFrame) -> list[NDArray[np.float64]]:
        """What each feature adds to the margin of each row, in the order of the columns [n] each."""
        count = len(self.columns.numbers)
        known, missing = self.scaling.apply(numbers(frame, self.columns))
        terms = list((known * self.weights[:count] + missing * self.weights[count : 2 * count]).T)
        starts = _starts(count, self.encodings)
        for series, encoding, start in zip(
            categories(frame, self.columns), self.encodings, starts, strict=True
        ):
            terms.append(self.weights[start + encoding.apply(series)])
        return terms


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: a linear model is made of no other family."""
    return ()


def fit(job: Job) -> Linear:
    """Fit by L-BFGS, which has one optimum and so needs neither a seed nor early stopping."""
    require_able(name, abilities, job)
    train, validation, columns = job.train, job.validation, job.columns
    chosen = read_parameters(Parameters, name, job.parameters)
    scaling = fit_scaling(numbers(train.frame, columns))
    encodings = tuple(fit_codes(series, chosen.min_rows) for series in categories(train.frame, columns))
    learner = LogisticRegression(C=chosen.strength, max_iter=chosen.iterations)
    learner.fit(_design(train.frame, columns, scaling, encodings), train.labels)
    weights, intercept = learner.coef_[0], float(learner.intercept_[0])
    model = Linear(columns, scaling, encodings, weights, intercept, {})
    spread = np.array([term.std() for term in model._terms(train.frame)])
    losses = {
        f"{part}_loss": log_loss(rows.labels, sigmoid(model.margins(rows.frame)[:, 0]))
        for part, rows in (("train", train), ("validation", validation))
    }
    job.report(int(learner.n_iter_[0]), losses)
    return Linear(columns, scaling, encodings, weights, intercept, shares(columns, spread))


def load(folder: Path) -> Linear:
    """Read back what `Linear.save` wrote."""
    saved = json.loads((folder / "linear.json").read_text())
    return Linear(
        Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()}),
        Scaling(**{part: np.array(values, np.float32) for part, values in saved["scaling"].items()}),
        tuple(CategoryCodes(**encoding) for encoding in saved["encodings"]),
        np.array(saved["weights"]),
        saved["intercept"],
        saved["shares"],
    )


def _design(
    frame: pl.DataFrame, columns: Columns, scaling: Scaling, encodings: Sequence[CategoryCodes]
) -> sparse.csr_matrix:
    known, missing = scaling.apply(numbers(frame, columns))
    parts = [sparse.csr_matrix(np.hstack([known, missing]))]
    for series, encoding in zip(categories(frame, columns), encodings, strict=True):
        codes, rows = encoding.apply(series), frame.height
        shape = (rows, encoding.size)
        parts.append(sparse.csr_matrix((np.ones(rows), codes, np.arange(rows + 1)), shape))
    return sparse.hstack(parts, format="csr")


def _starts(count: int, encodings: Sequence[CategoryCodes]) -> list[int]:
    """Where the weights of each one-hot category start."""
    edges = np.cumsum([2 * count, *(encoding.size for encoding in encodings)])
    return [int(edge) for edge in edges[:-1]]


def _plain(value: Any) -> Any:
    return value.tolist()
