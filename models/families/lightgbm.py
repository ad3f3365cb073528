"""Gradient-boosted trees on numbers and out-of-fold target encodings, all in float32."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
from lightgbm.callback import CallbackEnv
from numpy.typing import NDArray
from onnx import ModelProto
from pydantic import Field

from core.learning import Range
from core.spec import Model, Share
from models.encode import CategoryValues, fit_values, out_of_fold
from models.family import Ability, Job, Parameter, Report, read_parameters, require_able, shares
from models.onnx.graph import from_trees
from models.rows import Columns, categories, numbers

name = "lightgbm"
complexity = 2
abilities: frozenset[Ability] = frozenset()
space: Mapping[str, Range] = {
    "learning_rate": Range(low=0.02, high=0.2, log=True),
    "num_leaves": Range(low=7, high=63, log=True),
    "min_data_in_leaf": Range(low=20, high=500, log=True),
    "feature_fraction": Range(low=0.3, high=1.0),
    "bagging_fraction": Range(low=0.5, high=1.0),
    "lambda_l2": Range(low=0.01, high=100.0, log=True),
}


class Parameters(Model):
    """What `training.parameters.lightgbm` may say; the names are LightGBM's own, but for the last ones.

    At most `rounds` trees grow, until the validation loss has not fallen for `patience` of them.
    Categories are encoded over `folds` stretches of time, with `smoothing` rows of the base rate.
    `threads` is 1 because fits run side by side.
    """

    learning_rate: float = Field(default=0.05, gt=0)
    num_leaves: int = Field(default=15, ge=2)
    min_data_in_leaf: int = Field(default=100, ge=1)
    max_bin: int = Field(default=255, ge=2)
    feature_fraction: Share = 0.5
    bagging_fraction: Share = 0.8
    bagging_freq: int = Field(default=1, ge=0)
    lambda_l1: float = Field(default=0.0, ge=0)
    lambda_l2: float = Field(default=1.0, ge=0)
    rounds: int = Field(default=600, ge=1)
    patience: int = Field(default=50, ge=1)
    folds: int = Field(default=5, ge=2)
    smoothing: float = Field(default=50.0, gt=0)
    threads: int = Field(default=1, ge=1)


@dataclass(frozen=True, slots=True)
class Trees:
    """The fitted booster over [numbers, encoded categories], cut at its best round."""

    columns: Columns
    encodings: tuple[CategoryValues, ...]
    booster: lgb.Booster

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The margins of each row [n, K]."""
        encoded = zip(categories(frame, self.columns), self.encodings, strict=True)
        inputs = _stack(
            numbers(frame, self.columns), [encoding.apply(series) for series, encoding in encoded]
        )
        found = np.asarray(self.booster.predict(inputs, raw_score=True, num_threads=1), np.float64)
        return found.reshape(frame.height, -1)

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        return from_trees(self.booster, self.columns, self.encodings)

    def save(self, folder: Path) -> None:
        """Write `trees.txt`, LightGBM's own text, and `encodings.json`."""
        self.booster.save_model(folder / "trees.txt")
        encodings = [asdict(encoding) for encoding in self.encodings]
        document = {"columns": asdict(self.columns), "encodings": encodings}
        (folder / "encodings.json").write_text(json.dumps(document))

    def importance(self) -> dict[str, float]:
        """Each feature's share of the gain of all splits."""
        return shares(self.columns, self.booster.feature_importance("gain"))

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        """LightGBM's own SHAP values [n, features, K]."""
        return None


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: trees are made of no other family."""
    return ()


def fit(job: Job) -> Trees:
    """Fit until the validation loss stops falling; a step is a tree."""
    require_able(name, abilities, job)
    train, validation, columns = job.train, job.validation, job.columns
    chosen = read_parameters(Parameters, name, job.parameters)
    folds = np.arange(len(train)) * chosen.folds // len(train)
    texts = categories(train.frame, columns)
    encodings = tuple(fit_values(series, train.labels, chosen.smoothing) for series in texts)
    encoded = [out_of_fold(series, train.labels, folds, chosen.smoothing) for series in texts]
    later = zip(categories(validation.frame, columns), encodings, strict=True)
    seen = lgb.Dataset(_stack(numbers(train.frame, columns), encoded), train.labels)
    unseen = seen.create_valid(
        _stack(numbers(validation.frame, columns), [encoding.apply(series) for series, encoding in later]),
        validation.labels,
    )
    booster = lgb.train(
        _settings(chosen, job.seed),
        seen,
        chosen.rounds,
        [seen, unseen],
        ["train", "validation"],
        callbacks=[lgb.early_stopping(chosen.patience, verbose=False), _reporter(job.report)],
    )
    return Trees(columns, encodings, booster)


def load(folder: Path) -> Trees:
    """Read back what `Trees.save` wrote."""
    saved = json.loads((folder / "encodings.json").read_text())
    return Trees(
        Columns(**{kind: tuple(names) for kind, names in saved["columns"].items()}),
        tuple(CategoryValues(**encoding) for encoding in saved["encodings"]),
        lgb.Booster(model_file=folder / "trees.txt"),
    )


def _settings(chosen: Parameters, seed: int) -> dict[str, float | int | str | bool]:
    """What LightGBM is told: the chosen parameters, and what makes two fits alike."""
    own = {"rounds", "patience", "folds", "smoothing", "threads"}
    return {
        **chosen.model_dump(exclude=own),
        "objective": "binary",
        "metric": "binary_logloss",
        "num_threads": chosen.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _stack(values: NDArray[np.float32], encoded: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.column_stack([values, *encoded])


def _reporter(report: Report) -> Callable[[CallbackEnv], None]:
    """The callback that reports both losses after each tree."""

    def after_round(env: CallbackEnv) -> None:
        losses = {f"{result[0]}_loss": float(result[2]) for result in env.evaluation_result_list or []}
        report(env.iteration + 1, losses)

    return after_round
