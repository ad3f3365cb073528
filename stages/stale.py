"""Stale: what was made from rows that have changed since, and so will be made again by the next run."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.batches import Batch
from stages import score
from stages.data.retained import FEATURES, PREDICTIONS, gone, is_gone
from stages.features import featurise
from stages.monitoring import monitor
from stages.workspace import Workspace


def found_stale(workspace: Workspace, as_of: datetime) -> dict[str, list[str]]:
    """What the next run makes again, by what it is; later ones follow from earlier ones."""
    batches = workspace.batches(as_of)
    return {
        "features": [batch.id for batch in stale_features(workspace, batches)],
        "scores": [batch.id for batch in stale_scores(workspace, batches)],
        "judgements": [
            batch.id
            for batch in stale_judgements(workspace, batches)
            if batch.end + workspace.spec.outcome.maturity <= as_of
        ],
    }


def stale_features(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches whose features were built from other rows, or by other declarations, than those of now."""
    for batch in batches:
        built = workspace.ledger.result("features", batch.id)
        if built is None or workspace.content(workspace.spec.events, batch.id) is None:
            continue
        if featurise.is_settled(workspace, batch):
            continue
        if built["fingerprint"] != featurise.made_from_of(workspace, batch):
            yield batch


def stale_scores(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches that were scored with other features than they have now; each is asked in its turn."""
    for batch in batches:
        if workspace.ledger.result("features", batch.id) is None:
            continue  # until they are built again
        if is_gone(workspace, batch, FEATURES, PREDICTIONS):
            continue
        scored, release = workspace.ledger.result("score", batch.id), workspace.serving(batch.end)
        if scored and release and scored["fingerprint"] != score.made_from_of(workspace, batch, release):
            yield batch


def stale_judgements(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches that were judged by other predictions, or a history, that has changed since."""
    for batch in batches:
        if is_gone(workspace, batch, FEATURES, PREDICTIONS):
            continue
        judged = workspace.ledger.result("monitor", batch.id)
        matured = batch.end + workspace.spec.outcome.maturity
        if judged and judged["fingerprint"] != monitor.made_from_of(workspace, batch, matured):
            yield batch


def forget_removed(workspace: Workspace) -> None:
    """Take off the record what was written to tables that somebody has removed since: it is made again.

    What retention has deleted stays on record: it is not to come back.
    """
    written = {f"ingest/{name}": (f"raw/{name}", f"quarantine/{name}") for name in workspace.spec.datasets}
    for step, tables in (written | {"features": ("features", "outcomes")}).items():
        if not all(map(workspace.lake.exists, tables)):
            kept = gone(workspace, tables[0])
            for subject in workspace.ledger.results(step).keys() - kept.keys():
                workspace.ledger.forget(step, subject)
