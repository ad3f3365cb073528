"""Estimate: how good the predictions of a batch are, before their outcomes come, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from core.batches import Batch
from core.ledger import fingerprint
from models.answers import from_column
from models.measures.intervals import local
from models.problem import Floats, problem_of
from models.registry.versions import Version
from models.rows import Rows, columns
from monitoring.performance.blocks import DAY, Block, blocks_of
from monitoring.performance.direct import direct
from monitoring.performance.estimates import Estimate, Past, estimates
from stages.data.retained import FEATURES, is_gone
from stages.features.featurise import labelled
from stages.score import served
from stages.workspace import Workspace

# More labelled rows say little more: of more, every second, third ... is taken.
MOST = 50_000


def estimate(
    workspace: Workspace,
    batch: Batch,
    version: Version,
    predictions: pl.DataFrame,
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Estimate]:
    """The measures of a batch's predictions as its end knew them, whatever is known by now.

    From labels of earlier batches that were known then, of rows that the version did not learn from.
    Empty for rankings, whose scores claim nothing of themselves, and where too few labels were known.
    `history` are the judgements of the version on earlier batches.
    """
    spec, problem = workspace.spec, problem_of(workspace.spec)
    past = None if problem.kind == "ranking" else _past(workspace, batch, version, history)
    if past is None or predictions.is_empty():
        return {}
    days = len(np.unique(_days(workspace, predictions["event_time"])))
    few = predictions.gather_every(-(-predictions.height // MOST))
    if problem.kind == "regression":
        few = _with_features(workspace, batch, few)
        rows, answers = _unlabelled(few), from_column(few["prediction"])
        return direct(problem, past, rows, answers, days, columns(spec))
    return estimates(problem, past, _unlabelled(few), from_column(few["prediction"]), days)


def holdout(workspace: Workspace, version: Version) -> tuple[Block, ...]:
    """The days that a version was held out of, as it answers them: computed once, and kept on the ledger.

    Where retention has deleted rows of them since, they are read as they were when it was trained.
    """
    made = version.lineage
    made_from = fingerprint(dict(version.files), contents(workspace, version, made.as_of))
    if done := workspace.ledger.finished("holdout", version.id, made_from):
        return tuple(Block.read(each) for each in done["blocks"])
    deleted = any(is_gone(workspace, each, FEATURES) for each in _after(workspace, version, made.as_of))
    frame = labelled(workspace, made.as_of, made.trained_until, made.tables if deleted else None)
    found: tuple[Block, ...] = ()
    if not frame.is_empty():
        rows, spec = Rows.of(frame, workspace.spec.outcome), workspace.spec
        found = blocks_of(problem_of(spec), rows, _answers(workspace, version, frame), spec.batches.timezone)
    kept = {"blocks": [asdict(each) for each in found]}
    if workspace.shared is None:
        workspace.ledger.record("holdout", version.id, made_from, kept, made.as_of)
    return found


def contents(workspace: Workspace, version: Version, until: datetime) -> list[str | None]:
    """What stands for the rows up to an instant that a version did not learn from."""
    built = workspace.ledger.results("features")
    return [built.get(each.id, {}).get("content") for each in _after(workspace, version, until)]


def known_then(batch: Batch, history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The final judgements of earlier batches that there were when a batch ended."""
    return [
        dict(each)
        for each in history
        if each.get("final") and datetime.fromisoformat(each["as_of"]) <= batch.end
    ]


def _after(workspace: Workspace, version: Version, until: datetime) -> list[Batch]:
    """The batches up to an instant that a version did not learn all rows of."""
    return [each for each in workspace.batches(until) if each.end > version.lineage.trained_until]


def _past(
    workspace: Workspace, batch: Batch, version: Version, history: Sequence[Mapping[str, Any]]
) -> Past | None:
    """The newest labelled rows before a batch that its version did not learn from, as known at its end."""
    since = max(_since(workspace, batch), version.lineage.trained_until)
    frame = labelled(workspace, batch.end, since).filter(pl.col("event_time") < batch.start)
    if frame.is_empty():
        return None
    frame = frame.gather_every(-(-frame.height // MOST))
    errors: dict[str, list[float]] = {}
    for each in known_then(batch, history):
        for name, told in each["estimates"].items():
            if told.get("error") is not None:
                errors.setdefault(name, []).append(float(told["error"]))
    answers, times = _answers(workspace, version, frame), frame["event_time"]
    return Past(Rows.of(frame, workspace.spec.outcome), answers, _days(workspace, times), errors)


def _since(workspace: Workspace, batch: Batch) -> datetime:
    """The start of the newest batches before this one that have enough rows together."""
    built, rows, since = workspace.ledger.results("features"), 0, batch.start
    for each in reversed(workspace.batches(batch.start)):
        if rows >= MOST:
            break
        rows, since = rows + int(built.get(each.id, {}).get("labelled", 0)), each.start
    return since


def _answers(workspace: Workspace, version: Version, frame: pl.DataFrame) -> Floats:
    return np.asarray(served(workspace, version).predict(frame), np.float64)


def _days(workspace: Workspace, times: pl.Series) -> Any:
    return local(times, workspace.spec.batches.timezone) // DAY


def _unlabelled(frame: pl.DataFrame) -> Rows:
    """Rows whose labels are not known: they are 0, and not looked at."""
    return Rows(frame, np.zeros(frame.height), frame["event_time"])


def _with_features(workspace: Workspace, batch: Batch, predictions: pl.DataFrame) -> pl.DataFrame:
    spec = workspace.spec
    key = list(spec.datasets[spec.events].key)
    names = dict.fromkeys((*key, *spec.features))
    features = workspace.lake.scan("features", [batch.id]).select(*names).collect()
    named = predictions.select(*key, "event_time", "prediction")
    return named.join(features, on=key, how="inner", maintain_order="left")
