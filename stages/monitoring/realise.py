"""Realise: how good the predictions of a batch turned out to be, and those of the baseline beside them."""

from datetime import datetime

import polars as pl

from core.batches import Batch
from models.answers import from_column
from models.card.slices import by_column
from models.problem import problem_of
from models.registry.versions import Version
from models.rows import Rows
from monitoring.performance.realised import Judgement, Realised, ends, joined, realised
from stages.features.featurise import labelled
from stages.models.archive import restore
from stages.score import served
from stages.workspace import Workspace


def realise(workspace: Workspace, batch: Batch, predictions: pl.DataFrame, as_of: datetime) -> Realised:
    """Join the predictions of a batch with the outcomes known at `as_of`, and measure.

    From the end of the batch and the maturity of its outcomes on it is final.
    """
    return realised(predictions, _outcomes(workspace, batch), as_of, _judgement(workspace, batch))


def sliced(workspace: Workspace, batch: Batch, predictions: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The measures of the slices that `gate.slices` names, with their intervals by the gate's blocks.

    A row a measure: `slice` (the column), `part` (its value), `measure`, `value`, `low`, `high`, `rows`.
    """
    spec, problem = workspace.spec, problem_of(workspace.spec)
    known = joined(predictions, _outcomes(workspace, batch), as_of, _judgement(workspace, batch))
    found = []
    if spec.gate.slices and not known.is_empty():
        key = list(spec.datasets[spec.events].key)
        wanted = [name for name in spec.gate.slices if name not in known.columns]
        features = workspace.lake.scan("features", [batch.id]).select(*key, *wanted).collect()
        known = known.join(features, on=key, how="left", maintain_order="left")
        rows, answers = Rows.of(known, spec.outcome), from_column(known["prediction"])
        for column in spec.gate.slices:
            for each in by_column(problem, rows, answers, column, spec, "gate.slices").shown:
                about = {"slice": column, "part": each.name, "rows": each.rows}
                for name, measure in each.measures.items():
                    low, high = ends(measure)
                    found.append(about | {"measure": name, "value": measure.value, "low": low, "high": high})
    return pl.DataFrame(found, schema=SLICED)


def realised_by(workspace: Workspace, batch: Batch, version: str, as_of: datetime) -> pl.DataFrame:
    """The predictions of a version in a batch whose outcomes are known, with their `label`, by time."""
    every = workspace.lake.scan("predictions", [batch.id])
    own = every.filter(pl.col("version") == version).collect()
    return joined(own, _outcomes(workspace, batch), as_of, _judgement(workspace, batch))


SLICED = {
    "slice": pl.String,
    "part": pl.String,
    "measure": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "rows": pl.Int64,
}
"""The columns of a measure of a slice; of the whole batch `slice` and `part` are null."""


def _judgement(workspace: Workspace, batch: Batch) -> Judgement:
    spec = workspace.spec
    return Judgement(
        problem_of(spec),
        spec.outcome,
        spec.datasets[spec.events].key,
        spec.batches.timezone,
        spec.training.seed,
        due=batch.end + spec.outcome.maturity,
    )


def _outcomes(workspace: Workspace, batch: Batch) -> pl.DataFrame:
    return workspace.lake.scan("outcomes", [batch.id]).collect()


def baseline(workspace: Workspace, batch: Batch, champion: Version, as_of: datetime) -> dict[str, float]:
    """The measures of the baseline of a batch (see `baseline_of`); none where it has none."""
    spec, beside = workspace.spec, baseline_of(workspace, batch, champion)
    rows = labelled(workspace, as_of, batch.start).filter(pl.col("event_time") < batch.end)
    if beside is None or rows.is_empty():
        return {}
    labels, answers = (
        Rows.of(rows, spec.outcome),
        served(workspace, restore(workspace, beside)).predict(rows),
    )
    return problem_of(spec).measures(labels, answers)


def baseline_of(workspace: Workspace, batch: Batch, champion: Version) -> Version | None:
    """The newest version of the spec's first family that there was when a batch was over.

    None where the champion is of that family itself.
    """
    family = workspace.spec.training.families[0]
    if champion.family == family:
        return None
    versions = workspace.registry.versions(workspace.project.name)
    known = [each for each in versions if each.family == family and each.lineage.as_of < batch.end]
    return known[-1] if known else None
