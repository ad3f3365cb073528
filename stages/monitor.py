"""Monitor: what a scored batch says of the champion, and whether to retrain."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from core.batches import Batch
from core.ledger import fingerprint
from core.plain import plain
from models.answers import from_column
from models.problem import problem_of
from models.registry.versions import Version
from models.rows import Rows, columns
from monitoring.drift import Drift, feature_drift, prediction_drift
from monitoring.performance import Judgement, Realised, realised
from monitoring.policy import Decision, decide
from monitoring.profiles import profile
from stages.bundle import REFERENCE
from stages.featurise import labelled
from stages.score import served
from stages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a scored batch, and what was decided.

    `drift` is the drift of each feature (None where it could not be measured), `baseline` the
    measures of the newest version of the spec's first family on the same rows, if there is one.
    """

    batch: str
    version: str
    scored: int
    labelled: int
    measures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    calibration: list[dict[str, float]]
    baseline: dict[str, float]
    drift: dict[str, float | None]
    prediction_drift: float | None
    decision: str
    reasons: list[str]
    calls: bool
    numbers: dict[str, float]
    fingerprint: str


def judge_batch(workspace: Workspace, batch: Batch, as_of: datetime) -> Judged | None:
    """Judge a scored batch by the outcomes known at `as_of`; None when it was not scored.

    Profiles and metrics go to the lake, the decision on the ledger.
    """
    scored = workspace.ledger.result("score", batch.id)
    if scored is None or scored["rows"] == 0:
        return None
    history = _history(workspace, batch, scored["version"])
    made_from = made_from_of(workspace, batch, as_of)
    if done := workspace.ledger.finished("monitor", batch.id, made_from):
        return Judged(**done)
    version = workspace.registry.version(scored["version"])
    predictions = workspace.lake.scan("predictions", [batch.id]).collect()
    found = _realised(workspace, batch, predictions, as_of)
    drifts, shift = _drift(workspace, batch, version, predictions)
    decision = decide(
        drifts,
        version.metrics["importance"],
        shift,
        found,
        version.metrics["holdout"],
        workspace.spec.monitoring,
        [_decision(each) for each in history],
    )
    baseline = _baseline(workspace, batch, version, as_of)
    judged = _judged(batch, version, found, drifts, shift, decision, baseline, made_from)
    workspace.lake.write("metrics", batch.id, _metrics(judged, as_of))
    workspace.ledger.record("monitor", batch.id, made_from, asdict(judged), as_of)
    return judged


def made_from_of(workspace: Workspace, batch: Batch, as_of: datetime) -> str:
    """What stands for all that the judgement of a scored batch is made from."""
    scored = workspace.ledger.result("score", batch.id) or {}
    built = workspace.ledger.result("features", batch.id) or {}
    return fingerprint(
        scored.get("fingerprint"),
        built.get("content"),
        workspace.spec.monitoring.model_dump(mode="json"),
        as_of,
        [each["fingerprint"] for each in _history(workspace, batch, scored.get("version", ""))],
    )


def reference(workspace: Workspace, version: Version) -> tuple[pl.DataFrame, pl.Series]:
    """What a version's batches are compared with: inputs that it was fitted on, answers to unseen ones."""
    rows = pl.read_parquet(workspace.registry.file(version, REFERENCE))
    return rows.filter(pl.col("prediction").is_null()), rows["prediction"].drop_nulls()


def _history(workspace: Workspace, batch: Batch, version: str) -> list[dict[str, Any]]:
    """The judgements of the same version on earlier batches, in order."""
    earlier = [each.id for each in workspace.batches(batch.start)]
    judged = workspace.ledger.results("monitor")
    return [judged[each] for each in earlier if each in judged and judged[each]["version"] == version]


def _realised(workspace: Workspace, batch: Batch, predictions: pl.DataFrame, as_of: datetime) -> Realised:
    spec = workspace.spec
    outcomes = workspace.lake.scan("outcomes", [batch.id]).collect()
    key = spec.datasets[spec.events].key
    by = Judgement(problem_of(spec), spec.outcome, key, spec.batches.timezone, spec.training.seed)
    return realised(predictions, outcomes, as_of, by)


def _drift(
    workspace: Workspace, batch: Batch, version: Version, predictions: pl.DataFrame
) -> tuple[tuple[Drift, ...], Drift]:
    spec, names = workspace.spec, columns(workspace.spec)
    rows = workspace.lake.scan("features", [batch.id]).collect()
    inputs, answers = reference(workspace, version)
    workspace.lake.write("profiles", batch.id, profile(rows, names, batch.id).drop("batch"))
    then, now = from_column(answers), from_column(predictions["prediction"])
    shift = prediction_drift(then, now, spec.monitoring, values=problem_of(spec).link == "sorted")
    return feature_drift(inputs, rows, names, spec.monitoring), shift


def _baseline(workspace: Workspace, batch: Batch, champion: Version, as_of: datetime) -> dict[str, float]:
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
    labels, answers = Rows.of(rows, spec.outcome), served(workspace, known[-1]).predict(rows)
    return problem_of(spec).measures(labels, answers)


def _judged(
    batch: Batch,
    version: Version,
    found: Realised,
    drifts: tuple[Drift, ...],
    shift: Drift,
    decision: Decision,
    baseline: dict[str, float],
    made_from: str,
) -> Judged:
    return Judged(
        batch=batch.id,
        version=version.id,
        scored=found.scored,
        labelled=found.labelled,
        measures=plain(found.measures),
        intervals=plain(found.intervals),
        calibration=plain(found.calibration),
        baseline=plain(baseline),
        drift={drift.feature: drift.value for drift in drifts},
        prediction_drift=shift.value,
        decision=decision.action,
        reasons=list(decision.reasons),
        calls=decision.calls,
        numbers=plain(decision.numbers),
        fingerprint=made_from,
    )


def _decision(judged: dict[str, Any]) -> Decision:
    return Decision(judged["decision"], tuple(judged["reasons"]), judged["numbers"], judged["calls"])


def _metrics(judged: Judged, as_of: datetime) -> pl.DataFrame:
    """The realised measures as rows of the table `metrics`: one a measure, with its interval."""
    rows = [
        {
            "version": judged.version,
            "measure": name,
            "value": value,
            "low": low,
            "high": high,
            "rows": judged.labelled,
        }
        for name, value in judged.measures.items()
        for low, high in [judged.intervals.get(name, (None, None))]
    ]
    schema = {
        "version": pl.String,
        "measure": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "rows": pl.Int64,
    }
    instant = pl.lit(as_of).cast(pl.Datetime("us", "UTC")).alias("as_of")
    return pl.DataFrame(rows, schema=schema).with_columns(instant)
