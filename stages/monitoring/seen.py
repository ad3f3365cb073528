"""Seen: all that is measured of a scored batch before anything is decided about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from core.batches import Batch
from core.ledger import fingerprint
from models.registry.versions import Version
from monitoring.drift.drift import Drift
from monitoring.performance.blocks import Block
from monitoring.performance.concept import Change, changes
from monitoring.performance.estimate_findings import Checked, checked
from monitoring.performance.realised import Realised
from stages.models.lineage import LATER
from stages.monitoring.drifts import drifts
from stages.monitoring.estimate import contents, estimate, holdout, known_then
from stages.monitoring.realise import baseline, baseline_of, realise, sliced
from stages.workspace import Workspace

History = Sequence[Mapping[str, Any]]

# What a policy may say of a judgement, and changes nothing that is measured.
DECIDED_BY = {"retraining", "opened_by", "every", "persistence"}
_OTHER = {"training", *LATER} - {"monitoring"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a scored batch; no rule of what is to be done changes it.

    `estimates` were made without labels and are held against what came; `usual` are the days of the
    version's holdout, and `changes` is where the errors of a day changed since. `baseline` has the measures
    of the spec's first family on the same rows, `slices` a row a measure of each slice.
    """

    realised: Realised
    estimates: dict[str, Checked]
    usual: tuple[Block, ...]
    changes: tuple[Change, ...]
    drifts: tuple[Drift, ...]
    answers: Drift
    baseline: dict[str, float]
    slices: list[dict[str, Any]]


_SEEN = TypeAdapter(Seen)


def seen(
    workspace: Workspace,
    batch: Batch,
    version: Version,
    predictions: pl.DataFrame,
    history: History,
    as_of: datetime,
) -> Seen:
    """Measure a scored batch by what is known at `as_of`.

    `history` are the judgements of the version on earlier batches, in order. What several histories have
    in common is measured once.
    """

    def measured() -> Seen:
        return _measured(workspace, batch, version, predictions, history, as_of)

    if workspace.shared is None:
        return measured()
    made_from = _made_from(workspace, batch, version, history, as_of)
    kept = workspace.shared.once("seen", made_from, lambda: _SEEN.dump_python(measured(), mode="json"))
    return _SEEN.validate_python(kept)


def days_of(history: History) -> list[list[Block]]:
    """The days of each batch of a history whose judgement was final."""
    return [[Block.read(each) for each in past["blocks"]] for past in history if past["final"]]


def _measured(
    workspace: Workspace,
    batch: Batch,
    version: Version,
    predictions: pl.DataFrame,
    history: History,
    as_of: datetime,
) -> Seen:
    found = realise(workspace, batch, predictions, as_of)
    estimates = estimate(workspace, batch, version, predictions, history)
    enough = found.final and found.labelled >= workspace.spec.monitoring.min_rows
    usual = holdout(workspace, version) if enough else ()
    stream = [*chain(*days_of(history)), *found.blocks] if enough else []
    moved, answers = drifts(workspace, batch, version, as_of)
    return Seen(
        realised=found,
        estimates=checked(estimates, _naive(batch, version, history), found),
        usual=usual,
        changes=changes(usual, stream, workspace.spec.training.seed),
        drifts=moved,
        answers=answers,
        baseline=baseline(workspace, batch, version, as_of),
        slices=sliced(workspace, batch, predictions, as_of).to_dicts(),
    )


def _naive(batch: Batch, version: Version, history: History) -> dict[str, float]:
    """The guess that all stays as it was: as in the newest final judgement there was, or the reference."""
    known = known_then(batch, history)
    measures = known[-1]["measures"] if known else version.metrics["holdout"]
    return {name: float(value) for name, value in measures.items() if value is not None}


def _made_from(
    workspace: Workspace, batch: Batch, version: Version, history: History, as_of: datetime
) -> str:
    """What stands for all that a batch is measured by, whatever the version is called here."""
    spec, built = workspace.spec, workspace.ledger.result("features", batch.id) or {}
    beside = baseline_of(workspace, batch, version)
    return fingerprint(
        batch.id,
        built.get("content"),
        dict(version.files),
        as_of,
        [[past["batch"], past["final"], past["as_of"]] for past in history],
        contents(workspace, version, batch.start),
        spec.model_dump(mode="json", exclude={"monitoring": DECIDED_BY, **dict.fromkeys(_OTHER, True)}),
        spec.training.seed,
        dict(beside.files) if beside else None,
    )
