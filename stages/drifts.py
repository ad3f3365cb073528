"""Drifts: how far the inputs and the predictions of a scored batch lie from its version's reference."""

import polars as pl

from core.batches import Batch
from models.answers import from_column
from models.problem import problem_of
from models.registry.versions import Version
from models.rows import columns
from monitoring.drift import Drift, feature_drift, prediction_drift
from monitoring.profiles import profile
from stages.bundle import REFERENCE
from stages.workspace import Workspace


def drifts(
    workspace: Workspace, batch: Batch, version: Version, predictions: pl.DataFrame
) -> tuple[tuple[Drift, ...], Drift]:
    """The drift of each feature and of the predictions; the profile of the batch goes to the lake."""
    spec, names = workspace.spec, columns(workspace.spec)
    rows = workspace.lake.scan("features", [batch.id]).collect()
    inputs, answers = reference(workspace, version)
    workspace.lake.write("profiles", batch.id, profile(rows, names, batch.id).drop("batch"))
    then, now = from_column(answers), from_column(predictions["prediction"])
    shift = prediction_drift(then, now, spec.monitoring, values=problem_of(spec).link == "sorted")
    return feature_drift(inputs, rows, names, spec.monitoring), shift


def reference(workspace: Workspace, version: Version) -> tuple[pl.DataFrame, pl.Series]:
    """What a version's batches are compared with: inputs that it was fitted on, answers to unseen ones."""
    rows = pl.read_parquet(workspace.registry.file(version, REFERENCE))
    return rows.filter(pl.col("prediction").is_null()), rows["prediction"].drop_nulls()
