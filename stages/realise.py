"""Realise: how good the predictions of a batch turned out to be, and those of the baseline beside them."""

from datetime import datetime

import polars as pl

from core.batches import Batch
from models.problem import problem_of
from models.registry.versions import Version
from models.rows import Rows
from monitoring.performance import Judgement, Realised, realised
from stages.archive import restore
from stages.featurise import labelled
from stages.score import served
from stages.workspace import Workspace


def realise(workspace: Workspace, batch: Batch, predictions: pl.DataFrame, as_of: datetime) -> Realised:
    """Join the predictions of a batch with the outcomes known at `as_of`, and measure."""
    spec = workspace.spec
    outcomes = workspace.lake.scan("outcomes", [batch.id]).collect()
    key = spec.datasets[spec.events].key
    by = Judgement(problem_of(spec), spec.outcome, key, spec.batches.timezone, spec.training.seed)
    return realised(predictions, outcomes, as_of, by)


def baseline(workspace: Workspace, batch: Batch, champion: Version, as_of: datetime) -> dict[str, float]:
    """The measures of the newest version of the first family that there was when the batch began.

    There are none where the champion is of that family itself.
    """
    spec, family = workspace.spec, workspace.spec.training.families[0]
    if champion.family == family:
        return {}
    known = [
        version
        for version in workspace.registry.versions(workspace.project.name)
        if version.family == family and version.lineage.as_of < batch.end
    ]
    rows = labelled(workspace, as_of, batch.start).filter(pl.col("event_time") < batch.end)
    if not known or rows.is_empty():
        return {}
    labels, answers = (
        Rows.of(rows, spec.outcome),
        served(workspace, restore(workspace, known[-1])).predict(rows),
    )
    return problem_of(spec).measures(labels, answers)
