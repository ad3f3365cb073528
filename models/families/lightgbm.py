"""Gradient-boosted trees on numbers, on encoded or native categories and on texts, all in float32."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnx import ModelProto

from core.errors import SpecError
from core.learning import Range
from models.family import Ability, Job, Parameter, read_parameters, report_losses, require_able, shares
from models.learning.boosting import refitted, trained
from models.learning.encode import CategoryValues, fit_codes, fit_values, out_of_fold
from models.learning.grams import fit_grams, load_grams, save_grams
from models.learning.inputs import Inputs, Table
from models.learning.losses import Truth, Unit
from models.learning.objectives import Parameters, settings
from models.learning.tokens import tokens
from models.learning.truth import best_constant, truth_of
from models.onnx.graph import from_trees
from models.rows import Columns, Floats, categories, numbers

name = "lightgbm"
complexity = 3
abilities: frozenset[Ability] = frozenset({"monotone", "focal", "start", "targets"})
space: Mapping[str, Range] = {
    "learning_rate": Range(low=0.02, high=0.2, log=True),
    "num_leaves": Range(low=7, high=63, log=True),
    "min_data_in_leaf": Range(low=20, high=500, log=True),
    "feature_fraction": Range(low=0.3, high=1.0),
    "bagging_fraction": Range(low=0.5, high=1.0),
    "lambda_l2": Range(low=0.01, high=100.0, log=True),
}


@dataclass(frozen=True, slots=True)
class Trees:
    """The fitted booster, whose margins are in `unit`.

    Its first trees hold the constant `base` [K] that it started from.
    """

    inputs: Inputs
    booster: lgb.Booster
    unit: Unit
    base: tuple[float, ...]

    def margins(self, frame: pl.DataFrame) -> Floats:
        """The margins of each row [n, K]."""
        found = self.booster.predict(self.inputs.of(frame), raw_score=True, num_threads=1)
        return self.unit.of(np.asarray(found, np.float64).reshape(frame.height, len(self.base)))

    def graph(self) -> ModelProto:
        """The model as one graph: raw features in, `margin` out."""
        inputs = self.inputs
        return from_trees(self.booster, inputs.columns, inputs.encodings, self.unit, inputs.grams)

    def save(self, folder: Path) -> None:
        """Write `trees.txt`, LightGBM's own text, `encodings.json`, and the weights of tokens."""
        (folder / "trees.txt").write_text(self.booster.model_to_string())
        told = asdict(replace(self.inputs, grams=()))
        document = {"inputs": told, "unit": asdict(self.unit), "base": self.base}
        (folder / "encodings.json").write_text(json.dumps(document))
        save_grams(self.inputs.grams, folder)

    def importance(self) -> dict[str, float]:
        """Each feature's share of the gain of all splits."""
        gains, columns = self.booster.feature_importance("gain"), self.inputs.columns
        by_feature = np.bincount(self.inputs.features, gains, len(columns.names))
        return shares(columns, by_feature.astype(np.float64))

    def contributions(self, frame: pl.DataFrame) -> Floats | None:
        """LightGBM's own SHAP values [n, features, K]; those of a category's encodings are added up."""
        found = self.booster.predict(self.inputs.of(frame), pred_contrib=True, num_threads=1)
        by_input = np.asarray(found, np.float64).reshape(frame.height, len(self.base), -1)[:, :, :-1]
        belongs = np.eye(len(self.inputs.columns.names))[self.inputs.features]
        return np.asarray((by_input @ belongs).transpose(0, 2, 1) * self.unit.scale, np.float64)


def takes(parameters: Mapping[str, Parameter]) -> tuple[str, ...]:
    """None: trees are made of no other family."""
    return ()


def fit(job: Job) -> Trees:
    """Fit until the validation loss stops falling; a step is a tree.

    The objective is LightGBM's own for the problem and its metric, LambdaMART for a ranking. It stops
    by the log loss, the squared or absolute error in spreads of the train rows, or nDCG.
    """
    require_able(name, abilities, job)
    chosen = read_parameters(Parameters, name, job.parameters)
    truth = truth_of(job)
    return _fresh(job, chosen, truth) if job.start is None else _updated(job, chosen, truth, job.start)


def load(folder: Path) -> Trees:
    """Read back what `Trees.save` wrote."""
    saved = json.loads((folder / "encodings.json").read_text())
    columns = Columns(**{kind: tuple(names) for kind, names in saved["inputs"]["columns"].items()})
    encodings = tuple(CategoryValues(**encoding) for encoding in saved["inputs"]["encodings"])
    return Trees(
        Inputs(columns, encodings, saved["inputs"]["native"], load_grams(folder)),
        lgb.Booster(model_file=folder / "trees.txt"),
        Unit(**saved["unit"]),
        tuple(saved["base"]),
    )


def _fresh(job: Job, chosen: Parameters, truth: Truth) -> Trees:
    values = _told(job, truth)
    folds = np.arange(len(job.train)) * chosen.folds // len(job.train)
    inputs, encoded = _encoded(job, chosen, values, folds)
    read = zip(job.columns.texts, tokens(job.train.frame, job.columns), strict=True)
    found = [fit_grams(name, each, truth, values, folds) for name, each in read]
    inputs = replace(inputs, grams=tuple(grams for grams, _ in found))
    told = [part for _, part in found]
    seen = np.column_stack([numbers(job.train.frame, job.columns), *encoded, *told])
    booster = _grown(inputs, seen, job, chosen, truth, None)
    return Trees(inputs, booster, truth.unit, tuple(best_constant(truth).tolist()))


def _updated(job: Job, chosen: Parameters, truth: Truth, start: object) -> Trees:
    """The start with more trees or other leaves; its encodings and its unit stay, or its trees would lie."""
    if (
        not isinstance(start, Trees)
        or start.inputs.columns != job.columns
        or len(start.base) != truth.outputs
    ):
        raise SpecError(
            "training.stateful: the champion has other features or classes: fit from nothing once"
        )
    same, seen = truth.in_unit(start.unit), start.inputs.of(job.train.frame)
    if chosen.update == "continue":
        return replace(start, booster=_grown(start.inputs, seen, job, chosen, same, start.booster))
    if job.focal or job.targets is not None or same.loss == "pinball":
        raise SpecError(
            "training.parameters.lightgbm.update: refit knows no focal loss and no quantiles: say continue"
        )
    (labels, _), gains = _labels(job, same)
    table, told = Table.of(seen, labels, job.train), settings(chosen, job, same, gains, seen.shape[1])
    model = replace(start, booster=refitted(told, table, chosen, start.booster, np.array(start.base)))
    report_losses(job, model)
    return model


def _grown(
    inputs: Inputs,
    seen: NDArray[np.float32],
    job: Job,
    chosen: Parameters,
    truth: Truth,
    start: lgb.Booster | None,
) -> lgb.Booster:
    """The trees grown on `seen`, the inputs of the train rows, after those of `start`."""
    labels, gains = _labels(job, truth)
    unseen = Table.of(inputs.of(job.validation.frame), labels[1], job.validation)
    tables = Table.of(seen, labels[0], job.train), unseen
    told = settings(chosen, job, truth, gains, seen.shape[1])
    return trained(told, tables, chosen, job, truth, inputs.categorical, start)


def _encoded(
    job: Job, chosen: Parameters, values: Floats, folds: NDArray[np.int64]
) -> tuple[Inputs, Sequence[NDArray[np.float32]]]:
    """The encodings of the categories, and those of the train rows, each from the other folds only.

    Of several classes a category has an encoding by each.
    """
    texts = categories(job.train.frame, job.columns)
    if chosen.categories == "native":
        codes = tuple(fit_codes(series, 1).numbered() for series in texts)
        return Inputs(job.columns, codes, True), [
            code.apply(series) for code, series in zip(codes, texts, strict=True)
        ]
    pairs = [(series, column) for series in texts for column in values.T]
    encodings = tuple(fit_values(series, column, chosen.smoothing) for series, column in pairs)
    encoded = [out_of_fold(series, column, folds, chosen.smoothing) for series, column in pairs]
    return Inputs(job.columns, encodings, False), encoded


def _told(job: Job, truth: Truth) -> Floats:
    """What categories are encoded by [n, columns]: the targets, or the one label that makes them all."""
    if truth.lists is not None:
        return job.train.labels[:, None]
    return truth.targets[:, :1] if truth.loss == "pinball" else truth.targets


def _labels(job: Job, truth: Truth) -> tuple[tuple[Floats, Floats], list[float]]:
    """What LightGBM is to learn from the rows of train and of validation, and the gain of each grade.

    A class is its number, a value is in its unit; grades, which may be fractions, are numbered,
    and have the gain 2^grade - 1.
    """
    later = job.validation.labels
    if truth.lists is not None:
        grades, codes = np.unique(np.concatenate([job.train.labels, later]), return_inverse=True)
        numbered = codes.astype(np.float64)
        return (numbered[: len(job.train)], numbered[len(job.train) :]), (np.exp2(grades) - 1).tolist()
    if truth.loss == "softmax":
        return (job.train.labels, later), []
    return (truth.targets[:, 0], truth.unit.back(later)), []
