"""Score: the champion's ONNX file answers every feature row of a batch."""

from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl

from core.batches import Batch
from core.errors import IntegrityError
from core.ledger import fingerprint
from models.answers import to_column
from models.registry.versions import Version
from models.runtime.model import Model
from models.runtime.remembered import Remembered
from stages.data.retained import FEATURES, PREDICTIONS, is_gone
from stages.workspace import Workspace, is_over


@dataclass(frozen=True, slots=True)
class Scored:
    """How many rows of a batch a version scored."""

    batch: str
    version: str
    rows: int
    fingerprint: str


def score(workspace: Workspace, batch: Batch, as_of: datetime) -> Scored | None:
    """Score a batch with who was champion before `as_of`, into `predictions`; None while there was none.

    What was scored of a batch stays once retention has deleted its features, or the predictions; then one
    that was never scored has none.

    Raises IntegrityError when the batch has no features yet, or the model's file is not the one
    that was registered.
    """
    is_over(batch, as_of)
    champion = workspace.serving(as_of)
    if champion is None:
        return None
    if is_gone(workspace, batch, FEATURES, PREDICTIONS):
        known = workspace.ledger.result("score", batch.id)
        return Scored(**known) if known else None
    made_from = made_from_of(workspace, batch, champion)
    if done := workspace.ledger.finished("score", batch.id, made_from):
        return Scored(**done)
    rows = workspace.lake.scan("features", [batch.id]).collect()
    spec = workspace.spec
    names = dict.fromkeys((*spec.datasets[spec.events].key, *spec.outcome.group))
    answers = to_column(served(workspace, champion).predict(rows))
    predictions = rows.select(*names, "event_time", "decision_time").with_columns(
        answers, version=pl.lit(champion.id)
    )
    workspace.lake.write("predictions", batch.id, predictions)
    result = Scored(batch.id, champion.id, predictions.height, made_from)
    workspace.ledger.record("score", batch.id, made_from, asdict(result), as_of)
    return result


def served(workspace: Workspace, version: Version) -> Model | Remembered:
    """The file of a version that serves, loaded once its hash is verified."""
    name = f"{version.metrics['serves']}.onnx"
    path, sha256 = workspace.registry.file(version, name), version.files[name]
    if workspace.shared:
        return Remembered(path, sha256, tuple(version.metrics["columns"]), workspace.shared)
    return Model.open(path, sha256)


def made_from_of(workspace: Workspace, batch: Batch, champion: Version) -> str:
    """What stands for all that the predictions of a batch are made from."""
    built = workspace.ledger.result("features", batch.id)
    if built is None:
        raise IntegrityError(
            f"batch {batch} of {workspace.project.name} has no features yet: build them first"
        )
    return fingerprint(batch.id, built["content"], champion.id, dict(champion.files))
