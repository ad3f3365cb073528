"""Stale: what was made from rows that have changed since, and so will be made again by the next run."""

from collections.abc import Iterator, Sequence

from core.batches import Batch
from stages import featurise, monitor, score
from stages.workspace import Workspace


def stale_features(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches whose features were built from other rows, or by other declarations, than those of now."""
    for batch in batches:
        built = workspace.ledger.result("features", batch.id)
        if built and built["fingerprint"] != featurise.made_from_of(workspace, batch):
            yield batch


def stale_scores(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches that were scored with other features than they have now; each is asked in its turn."""
    for batch in batches:
        scored, champion = workspace.ledger.result("score", batch.id), workspace.champion(batch.end)
        if scored and champion and scored["fingerprint"] != score.made_from_of(workspace, batch, champion):
            yield batch


def stale_judgements(workspace: Workspace, batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches that were judged by other predictions, or a history, that has changed since."""
    for batch in batches:
        judged = workspace.ledger.result("monitor", batch.id)
        matured = batch.end + workspace.spec.outcome.maturity
        if judged and judged["fingerprint"] != monitor.made_from_of(workspace, batch, matured):
            yield batch
