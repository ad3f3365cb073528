"""Monitor: what a scored batch says of the champion, and whether to retrain."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from core.batches import Batch
from core.ledger import fingerprint
from core.plain import plain
from models.registry.versions import Version
from monitoring.policy import Action, Decision, decide
from stages.data.retained import FEATURES, PREDICTIONS, is_gone
from stages.monitoring.earlier import compared
from stages.monitoring.estimate import contents
from stages.monitoring.further import further
from stages.monitoring.realise import SLICED
from stages.monitoring.seen import Seen, seen
from stages.monitoring.standing import standing
from stages.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a scored batch, and what was decided.

    `drift` is the drift of each feature (None where it could not be measured), `drifted` names those
    beyond their thresholds, `baseline` the
    measures of the newest version of the spec's first family on the same rows, if there is one.
    `asks` is what each of the reasons asks for. Before all outcomes are due it is not `final`. `blocks`
    are the labelled rows by day, `estimates` what was to be expected before a label was known, beside
    what came.
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
    drifted: list[str]
    prediction_drift: float | None
    decision: Action
    reasons: list[str]
    calls: bool
    numbers: dict[str, float]
    fingerprint: str
    asks: list[str]
    as_of: str
    final: bool
    blocks: list[dict[str, Any]]
    estimates: dict[str, dict[str, Any]]


def judge_batch(workspace: Workspace, batch: Batch, as_of: datetime) -> Judged | None:
    """Judge a scored batch by the outcomes known at `as_of`; None when it was not scored.

    Profiles and metrics go to the lake, the decision on the ledger. A judgement before all outcomes are
    due is provisional: it takes the place of none that is final. What was judged stays once retention
    has deleted the features or the predictions.
    """
    scored = workspace.ledger.result("score", batch.id)
    if scored is None or scored["rows"] == 0:
        return None
    if is_gone(workspace, batch, FEATURES, PREDICTIONS):
        known = workspace.ledger.result("monitor", batch.id)
        return Judged(**known) if known else None
    history = _history(workspace, batch, scored["version"])
    final = [each for each in history if each["final"]]
    made_from = made_from_of(workspace, batch, as_of)
    if done := workspace.ledger.finished("monitor", batch.id, made_from):
        return Judged(**done)
    version = workspace.registry.version(scored["version"])
    own = workspace.lake.scan("predictions", [batch.id]).filter(pl.col("version") == version.id)
    predictions = own.collect()
    found = seen(workspace, batch, version, predictions, history, as_of)
    decision = _decided(workspace, version, found, final, as_of)
    judged = _judged(batch, version, found, decision, made_from)
    before = workspace.ledger.result("monitor", batch.id)
    if not judged.final and before and before["version"] == version.id and before["final"]:
        return judged
    parts = pl.DataFrame(found.slices, schema=SLICED)
    workspace.lake.write("metrics", batch.id, _metrics(judged, parts, as_of))
    workspace.ledger.record("monitor", batch.id, made_from, asdict(judged), as_of)
    return judged


def _decided(
    workspace: Workspace,
    version: Version,
    found: Seen,
    history: Sequence[Mapping[str, Any]],
    as_of: datetime,
) -> Decision:
    """Weigh what was realised, what drifted and what was found further; `history` are final judgements."""
    stand = standing(workspace, version, as_of)
    beaten = compared(workspace, as_of) if stand.serves else None
    return decide(
        found.drifts,
        version.metrics["importance"],
        found.answers,
        found.realised,
        version.metrics["holdout"],
        workspace.spec.monitoring,
        [_decision(each) for each in history],
        stand,
        [*([beaten] if beaten else []), *further(workspace, version, found, history)],
        [each["drifted"] for each in history],
    )


def made_from_of(workspace: Workspace, batch: Batch, as_of: datetime) -> str:
    """What stands for all that the judgement of a scored batch is made from."""
    scored = workspace.ledger.result("score", batch.id) or {}
    built = workspace.ledger.result("features", batch.id) or {}
    version = workspace.registry.version(scored["version"]) if scored else None
    return fingerprint(
        scored.get("fingerprint"),
        built.get("content"),
        contents(workspace, version, batch.start) if version else [],
        workspace.spec.monitoring.model_dump(mode="json", exclude={"retraining"}),
        workspace.spec.gate.model_dump(mode="json", include={"slices", "block", "draws", "confidence"}),
        as_of,
        [each["fingerprint"] for each in _history(workspace, batch, scored.get("version", ""))],
    )


def _history(workspace: Workspace, batch: Batch, version: str) -> list[dict[str, Any]]:
    """The judgements of the same version on earlier batches, in order."""
    earlier = [each.id for each in workspace.batches(batch.start)]
    judged = workspace.ledger.results("monitor")
    return [judged[each] for each in earlier if each in judged and judged[each]["version"] == version]


def _judged(batch: Batch, version: Version, seen: Seen, decision: Decision, made_from: str) -> Judged:
    found = seen.realised
    return Judged(
        batch=batch.id,
        version=version.id,
        scored=found.scored,
        labelled=found.labelled,
        measures=plain(found.measures),
        intervals=plain(found.intervals),
        calibration=plain(found.calibration),
        baseline=plain(seen.baseline),
        drift={drift.feature: drift.value for drift in seen.drifts},
        drifted=[drift.feature for drift in seen.drifts if drift.drifted],
        prediction_drift=seen.answers.value,
        decision=decision.action,
        reasons=list(decision.reasons),
        calls=decision.calls,
        numbers=plain(decision.numbers),
        fingerprint=made_from,
        asks=list(decision.asks),
        as_of=found.as_of.isoformat(),
        final=found.final,
        blocks=plain(found.blocks),
        estimates=plain(seen.estimates),
    )


def _decision(judged: Mapping[str, Any]) -> Decision:
    return Decision(judged["decision"], tuple(judged["reasons"]), judged["numbers"], judged["calls"])


def _metrics(judged: Judged, parts: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The realised measures as rows of the table `metrics`: one a measure of the batch, and of a slice."""
    whole = [
        {"measure": name, "value": value, "low": low, "high": high, "rows": judged.labelled}
        for name, value in judged.measures.items()
        for low, high in [judged.intervals.get(name, (None, None))]
    ]
    return pl.concat([pl.DataFrame(whole, schema=SLICED), parts]).with_columns(
        version=pl.lit(judged.version),
        labelled_share=pl.lit(judged.labelled / judged.scored),
        final=pl.lit(judged.final),
        as_of=pl.lit(as_of).cast(pl.Datetime("us", "UTC")),
    )
