"""Gradient-boosted trees on numbers, on encoded or native categories and on texts, all in float32."""

import json
from collections.abc import Mapping
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
from models.learning.boosting import Growth, refitted, trained
from models.learning.encode import CategoryValues
from models.learning.grams import load_grams, save_grams
from models.learning.inputs import Inputs, Table, fit_inputs, told_labels
from models.learning.losses import Truth, Unit
from models.learning.objectives import Parameters, own_objective, settings
from models.learning.quantile_trees import grown_apart
from models.learning.truth import best_constant, truth_of
from models.onnx.graph import from_trees
from models.rows import Columns, Floats

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
    inputs, seen = fit_inputs(job, chosen, truth)
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
    if job.targets is not None or same.loss == "pinball" or own_objective(job, same):
        raise SpecError(
            "training.parameters.lightgbm.update: refit knows no focal loss, no quantiles "
            "and no monotone medians: say continue"
        )
    (labels, _), gains = told_labels(job, same)
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
    labels, gains = told_labels(job, truth)
    unseen = Table.of(inputs.of(job.validation.frame), labels[1], job.validation)
    tables = Table.of(seen, labels[0], job.train), unseen
    told = settings(chosen, job, truth, gains, seen.shape[1])
    apart = truth.loss == "pinball" and not own_objective(job, truth)
    growth = Growth(told, tables, chosen, job, truth, inputs.categorical, start)
    return grown_apart(growth) if apart else trained(growth)
