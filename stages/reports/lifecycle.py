"""The facts of a lifecycle, and its page and summary, from the ledger and the registry alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from core.batches import Batch
from core.ledger import fingerprint
from models.card.card import titles
from models.gate.judge import GateReport
from models.problem import headlines
from models.registry.versions import Version
from monitoring.retraining.requests import Request
from reports.lifecycle.page import Asked, File, Summary, page
from reports.lifecycle.page import Batch as BatchFacts
from reports.lifecycle.page import Version as VersionFacts
from stages.champion.promote import decisions
from stages.champion.retraining import BY_HAND, requests_of
from stages.champion.roll_back import rolled_back
from stages.models.cards import card_path
from stages.reports.drift import drift_path
from stages.workspace import Workspace


def lifecycle_report(workspace: Workspace, as_of: datetime, wall_seconds: float | None = None) -> Path:
    """Write the page of the lifecycle and `summary.json` beside it; the path of the page.

    When nothing has changed since the last time, and for who only writes it anew and so has no
    `wall_seconds`, the seconds are those of the run that did the work; 0 where there was none.
    """
    facts, ledger = summary(workspace, as_of), workspace.ledger
    made_from = fingerprint(facts)
    if wall_seconds is None:
        done = ledger.result("lifecycle", "newest")
    else:
        done = ledger.finished("lifecycle", "newest", made_from)
    seconds = done["wall_seconds"] if done else wall_seconds or 0.0
    path = page({**facts, "wall_seconds": seconds}, workspace.reports / "lifecycle")
    if wall_seconds is not None:
        ledger.record("lifecycle", "newest", made_from, {"wall_seconds": seconds}, as_of)
    return path


def summary(workspace: Workspace, as_of: datetime) -> Summary:
    """The facts of the lifecycle up to `as_of`, batches in order of time."""
    champion, requests = workspace.champion(as_of), requests_of(workspace).all()
    return {
        "project": workspace.project.name,
        "title": workspace.spec.title,
        "wall_seconds": 0.0,
        "batches": [_batch(workspace, batch, requests) for batch in workspace.batches(as_of)],
        "versions": [
            _version(workspace, version) for version in workspace.registry.versions(workspace.project.name)
        ],
        "importance": champion.metrics["importance"] if champion else {},
        "drift_threshold": workspace.spec.monitoring.drift,
        "headlines": headlines(workspace.spec),
        "relative_loss_name": titles(workspace.spec, ["relative_loss"])["relative_loss"],
    }


def _stood(requests: Sequence[Request]) -> dict[datetime, str]:
    """The instants at which what was asked for was answered, and the batch that had opened each.

    They are later than its judgement where more was scored before a retraining came to its end.
    """
    done = (each for each in requests if each.state == "done")
    return {each.stands_at: each.batch for each in done if each.batch != BY_HAND}


def _answered_at(workspace: Workspace, batch: Batch, stood: Mapping[datetime, str]) -> datetime | None:
    """When what came of a batch's judgement was put on record; None when that instant is of another's."""
    matured = batch.end + workspace.spec.outcome.maturity
    own = max((at for at, opener in stood.items() if opener == batch.id), default=matured)
    return own if stood.get(own, batch.id) == batch.id else None


def _batch(workspace: Workspace, batch: Batch, requests: Sequence[Request]) -> BatchFacts:
    events, ledger = workspace.spec.events, workspace.ledger
    ingested = ledger.results(f"ingest/{events}").get(batch.id, {})
    refused = ledger.results(f"refuse/{events}").get(batch.id)
    judged = ledger.results("monitor").get(batch.id, {})
    scored = ledger.results("score").get(batch.id, {})
    stopped = refused["why"] if refused else ingested.get("stopped")
    at = _answered_at(workspace, batch, _stood(requests))
    gate, restored = (decisions(workspace).get(at), rolled_back(workspace).get(at)) if at else (None, None)
    measures, intervals = judged.get("measures", {}), judged.get("intervals", {})
    return {
        "batch": batch.id,
        "received": ingested.get("received", 0),
        "accepted": ingested.get("accepted", 0),
        "quarantined": ingested.get("quarantined", 0),
        "champion": scored.get("version"),
        "auc": measures.get("auc"),
        "log_loss": measures.get("log_loss"),
        "drift": judged.get("numbers", {}).get("drifted_importance"),
        "decision": judged.get("decision"),
        "reasons": [*judged.get("reasons", []), *_gate_reasons(gate)],
        "status": "stopped" if stopped else "accepted",
        "stopped": stopped,
        "quarantine_reasons": ingested.get("reasons", {}),
        "auc_interval": intervals.get("auc"),
        "baseline_auc": judged.get("baseline", {}).get("auc"),
        "measures": measures,
        "intervals": intervals,
        "baseline": judged.get("baseline", {}),
        "base_rate": measures.get("base_rate"),
        "calibration_error": measures.get("calibration_error"),
        "calibration": judged.get("calibration", []),
        "prediction_drift": judged.get("prediction_drift"),
        "feature_drift": judged.get("drift", {}),
        "drifted": judged.get("drifted", []),
        "challenger": gate.challenger if gate else None,
        "retrained": gate.challenger if gate and gate.accepted else restored.version if restored else None,
        "drift_page": f"../drift/{batch.id}.html" if drift_path(workspace, batch.id).is_file() else None,
        "final": judged.get("final"),
        "estimates": judged.get("estimates", {}),
        "request": _asked_for(requests, batch.id),
    }


def _asked_for(requests: Sequence[Request], batch: str) -> Asked | None:
    """The newest retraining that was asked for after a batch."""
    found = [each for each in requests if batch in (ask.batch for ask in each.asks)]
    return {"number": found[-1].id, "state": found[-1].state, "why": found[-1].why} if found else None


def _gate_reasons(gate: GateReport | None) -> list[str]:
    if gate is None:
        return []
    verdict = "promoted" if gate.accepted else "refused"
    return [f"{gate.challenger} {verdict}: {reason}" for reason in gate.reasons]


def _version(workspace: Workspace, version: Version) -> VersionFacts:
    return {
        "version": version.id,
        "family": version.family,
        "stage": version.stage,
        "metrics": version.metrics["holdout"],
        "card": f"../models/{card_path(workspace, version).name}",
        "files": [_file(facts) for facts in version.metrics["variants"]],
    }


def _file(variant: Mapping[str, Any]) -> File:
    return {
        "name": f"{variant['name']}.onnx",
        "sha256": variant["sha256"],
        "bytes": variant["bytes"],
        "p50_us": variant["latency"]["p50_us"],
        "p99_us": variant["latency"]["p99_us"],
        "kept": variant["kept"],
        "note": variant["note"],
    }
