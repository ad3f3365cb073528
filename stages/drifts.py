"""Drifts: how far the inputs and the predictions of a scored batch lie from its version's reference."""

from datetime import datetime

from core.batches import Batch
from models.registry.versions import Version
from monitoring.drift import Drift, answers_drift, drift_of
from stages.profiled import answered, profiled
from stages.references import references
from stages.workspace import Workspace


def drifts(
    workspace: Workspace, batch: Batch, version: Version, as_of: datetime
) -> tuple[tuple[Drift, ...], Drift]:
    """The drift of each feature and of the predictions, by profiles: the rows are read once at most.

    The profiles of the batch go to the lake. Raises IntegrityError when the batch has no features or
    no predictions, the version has no reference, or one of either is damaged.
    """
    rules = workspace.spec.monitoring
    inputs, said = references(workspace, version)
    moved = drift_of(inputs, profiled(workspace, batch, as_of), rules)
    return moved, answers_drift(said, answered(workspace, batch, as_of), rules)
