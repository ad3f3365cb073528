"""Drifts: how far the inputs and the predictions of a scored batch lie from its version's reference."""

from datetime import datetime

import polars as pl

from core.batches import Batch
from models.registry.versions import Version
from models.rows import columns
from monitoring.drift.drift import Drift, answers_drift, drift_of
from monitoring.drift.told_apart import MOST, Texts, told_apart
from stages.models.references import blocks, references, sample
from stages.monitoring.profiled import answered, profiled
from stages.workspace import Workspace


def drifts(
    workspace: Workspace, batch: Batch, version: Version, as_of: datetime
) -> tuple[tuple[Drift, ...], Drift]:
    """The drift of each feature and of the predictions, by profiles: the rows are read once at most.

    Of free texts, samples of the rows are compared too. The profiles of the batch go to the lake.
    Raises IntegrityError when the batch has no features or no predictions, the version has no
    reference, or one of either is damaged.
    """
    rules = workspace.spec.monitoring
    inputs, said = references(workspace, version)
    moved = drift_of(inputs, profiled(workspace, batch, as_of), rules)
    texts = _texts(workspace, batch, version) if rules.drift is not None else {}
    moved = tuple(
        told_apart(each, *texts[each.feature]) if each.feature in texts and each.value is not None else each
        for each in moved
    )
    return moved, answers_drift(said, answered(workspace, batch, as_of), rules)


def _texts(workspace: Workspace, batch: Batch, version: Version) -> dict[str, tuple[Texts, Texts]]:
    """Samples of each free text: of the rows that the version was fitted on, and of the batch."""
    names = columns(workspace.spec).texts
    if not names:
        return {}
    rows = workspace.lake.scan("features", [batch.id]).select("event_time", *names)
    step = max(1, -(-int(rows.select(pl.len()).collect().item()) // MOST))
    sides = (
        sample(workspace, version).sort("event_time"),
        rows.gather_every(step).collect().sort("event_time"),
    )
    days = [blocks(workspace, side) for side in sides]
    return {
        name: (Texts(sides[0][name], days[0]), Texts(sides[1][name], days[1]))
        for name in names
        if name in sides[0].columns
    }
