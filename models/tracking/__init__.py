"""Tracking of fits in Weights & Biases."""

from models.tracking.files import Artifact, Table, dataset
from models.tracking.run import Run, track, untracked
from models.tracking.uploads import Outcome, discard, sent, sync

__all__ = ["Artifact", "Outcome", "Run", "Table", "dataset", "discard", "sent", "sync", "track", "untracked"]
