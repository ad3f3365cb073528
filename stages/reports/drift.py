"""Evidently's page of a scored batch, beside what its version was fitted on."""

from pathlib import Path

from core.batches import Batch
from core.ledger import fingerprint
from models.rows import columns
from reports.monitoring.drift import drift_page
from stages.models.references import sample
from stages.workspace import Workspace


def drift_report(workspace: Workspace, batch: Batch) -> Path | None:
    """Write Evidently's page about a scored batch, unless it is there; None when it was not scored.

    Nor is there one where drift is not watched.
    """
    path, scored = drift_path(workspace, batch.id), workspace.ledger.result("score", batch.id)
    if scored is None or not lacks_drift_report(workspace, batch):
        return path if path.is_file() else None
    made_from = fingerprint(scored["fingerprint"])
    version = workspace.registry.version(scored["version"])
    rows = workspace.lake.scan("features", [batch.id])
    zone = workspace.spec.batches.timezone
    drift_page(sample(workspace, version), rows, columns(workspace.spec), path, zone)
    workspace.ledger.record("drift report", batch.id, made_from, {}, batch.end)
    return path


def lacks_drift_report(workspace: Workspace, batch: Batch) -> bool:
    """Whether Evidently's page about a batch should be there, and is not, or is of other rows."""
    scored = workspace.ledger.result("score", batch.id)
    if scored is None or scored["rows"] == 0 or workspace.spec.monitoring.drift is None:
        return False
    made_from = fingerprint(scored["fingerprint"])
    known = workspace.ledger.finished("drift report", batch.id, made_from) is not None
    return not (known and drift_path(workspace, batch.id).is_file())


def drift_path(workspace: Workspace, batch: str) -> Path:
    """Where the page of a batch is, once it was written."""
    return workspace.reports / "drift" / f"{batch}.html"
