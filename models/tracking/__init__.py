"""Tracking of fits in Weights & Biases."""

from models.tracking.files import Artifact, Table, dataset
from models.tracking.run import Run, mode, track, untracked
from models.tracking.uploads import Outcome, answers, discard, sent, sync

__all__ = [
    "Artifact",
    "Outcome",
    "Run",
    "Table",
    "answers",
    "dataset",
    "discard",
    "mode",
    "sent",
    "sync",
    "track",
    "untracked",
]
