"""Score: the versions of the release answer the feature rows of a batch, each its share, by their files."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from core.batches import Batch
from core.errors import IntegrityError
from core.ledger import fingerprint
from features.entities import entities
from models.answers import are_finite, to_column
from models.registry.releases import Release
from models.registry.versions import Version
from models.rows import Floats
from models.runtime.model import Model
from models.runtime.remembered import Remembered
from stages.data.retained import FEATURES, PREDICTIONS, SHADOWS, is_gone
from stages.workspace import Workspace, is_over

_LOG = logging.getLogger(__name__)
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scored:
    """How many rows of a batch were scored: `version` is the champion, `others` are the rows of the others.

    What a shadow scored is no answer, and not among the `rows`.
    """

    batch: str
    version: str
    rows: int
    fingerprint: str
    others: dict[str, int] = field(default_factory=dict)


def score(workspace: Workspace, batch: Batch, as_of: datetime) -> Scored | None:
    """Score a batch by the release in force before `as_of`, into `predictions`; None while there was none.

    What was scored of a batch stays once retention has deleted its features, or the predictions; then one
    that was never scored has none.

    Raises IntegrityError when the batch has no features yet, or the file of a version is not the one
    that was registered.
    """
    is_over(batch, as_of)
    release = workspace.serving(as_of)
    if release is None:
        return None
    before = workspace.ledger.result("score", batch.id)
    if is_gone(workspace, batch, FEATURES, PREDICTIONS):
        return Scored(**before) if before else None
    made_from = made_from_of(workspace, batch, release)
    if done := workspace.ledger.finished("score", batch.id, made_from):
        return Scored(**done)
    rows = workspace.lake.scan("features", [batch.id]).collect()
    sides, shadowed = _sides(workspace, release, rows)
    predictions = _answered(workspace, rows, sides, release.champion)
    workspace.lake.write(PREDICTIONS, batch.id, predictions)
    unseen = {
        version: _sound(workspace, rows.filter(pl.Series(at)), version) for version, at in shadowed.items()
    }
    if unseen or (before and workspace.lake.exists(SHADOWS)):
        workspace.lake.write(SHADOWS, batch.id, pl.concat([predictions.clear(), *unseen.values()]))
    counts = {version: found.height for version, found in unseen.items()}
    counts |= {version: int((predictions["version"] == version).sum()) for version in sides}
    del counts[release.champion]
    result = Scored(batch.id, release.champion, predictions.height, made_from, counts)
    workspace.ledger.record("score", batch.id, made_from, asdict(result), as_of)
    return result


def _sides(
    workspace: Workspace, release: Release, rows: pl.DataFrame
) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """By version which of the rows it answers, and which it scores as a shadow."""
    if len(release.parts) == 1:
        return {release.champion: np.ones(rows.height, np.bool_)}, {}
    about = entities(workspace.spec, rows)
    answering = np.array([release.part_for(entity).version for entity in about], dtype=object)
    sides = {part.version: answering == part.version for part in release.parts if part.role != "shadow"}
    unseen = [{part.version for part in release.shadows_for(entity)} for entity in about]
    return sides, {
        part.version: np.array([part.version in each for each in unseen], np.bool_)
        for part in release.shadows
    }


def _answered(
    workspace: Workspace, rows: pl.DataFrame, sides: Mapping[str, Rows], champion: str
) -> pl.DataFrame:
    """The answers to the rows, in their order: of each side's version, or else, as online, the champion's."""
    parts, numbered = [], rows.with_row_index(":row")
    for version, at in sides.items():
        own = numbered.filter(pl.Series(at))
        if version != champion:
            parts.append(_sound(workspace, own, version))
            own = own.join(parts[-1], on=":row", how="anti")
        if version == champion or own.height:
            answers = served(workspace, workspace.registry.version(champion)).predict(own)
            parts.append(_with(workspace, own, answers, champion))
    return pl.concat(parts).sort(":row").drop(":row")


def _sound(workspace: Workspace, rows: pl.DataFrame, version: str) -> pl.DataFrame:
    """The answers of a version that is no champion to those of the rows at which it does not fail."""
    model = served(workspace, workspace.registry.version(version))
    try:
        answers = model.predict(rows)
    except Exception as error:  # whatever it is, it is this version's, and costs no row its answer
        _LOG.error("%s could not answer %s rows: %s", version, f"{rows.height:,}", type(error).__name__)
        rows, answers = rows.clear(), model.predict(rows.clear())
    sound = pl.Series(are_finite(answers), dtype=pl.Boolean)
    return _with(workspace, rows, answers, version).filter(sound)


def _with(workspace: Workspace, rows: pl.DataFrame, answers: Floats, version: str) -> pl.DataFrame:
    """The answers of a version beside what tells the rows apart."""
    spec = workspace.spec
    names = dict.fromkeys((*spec.datasets[spec.events].key, *spec.outcome.group))
    kept = rows.select(cs.by_name(":row", require_all=False), *names, "event_time", "decision_time")
    return kept.with_columns(to_column(answers), version=pl.lit(version))


def served(workspace: Workspace, version: Version) -> Model | Remembered:
    """The file of a version that serves, loaded once its hash is verified."""
    name = f"{version.metrics['serves']}.onnx"
    path, sha256 = workspace.registry.file(version, name), version.files[name]
    if workspace.shared:
        return Remembered(path, sha256, tuple(version.metrics["columns"]), workspace.shared)
    return Model.open(path, sha256)


def made_from_of(workspace: Workspace, batch: Batch, release: Release) -> str:
    """What stands for all that the predictions of a batch are made from."""
    built = workspace.ledger.result("features", batch.id)
    if built is None:
        raise IntegrityError(
            f"batch {batch} of {workspace.project.name} has no features yet: build them first"
        )
    champion, *others = (workspace.registry.version(version) for version in release.versions)
    beside = [[asdict(part) for part in release.parts], [dict(each.files) for each in others]]
    return fingerprint(
        batch.id, built["content"], champion.id, dict(champion.files), *(beside if others else ())
    )
