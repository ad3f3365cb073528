"""Promote: the best challenger meets the champion in the gate, and replaces it only if it may."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl

from core.errors import PerennialError
from models.answers import from_column
from models.card.usual import REFERENCE
from models.family import family
from models.gate.judge import Check, Contender, GateReport, Served, judge
from models.registry.versions import Version
from models.rows import Rows
from serving.log.tables import PREDICTIONS
from stages.features.featurise import labelled
from stages.models.bundle import FITTED
from stages.models.cards import write_card
from stages.release.change import take_over
from stages.score import served
from stages.workspace import Workspace

BY = "promote"


def promote(workspace: Workspace, candidates: Sequence[str], as_of: datetime) -> GateReport:
    """Judge the best of the candidates against the champion, on the newest labelled rows unseen by both.

    The winner becomes champion; the candidates that do not are retired, with the reason. Asked again
    about the same, it answers from the record. PerennialError when there is no candidate.
    """
    versions = [workspace.registry.version(candidate) for candidate in candidates]
    if not versions:
        raise PerennialError(f"{workspace.project.name}: no candidate to promote: train one first")
    report = decisions(workspace).get(as_of)
    if report is None or report.challenger not in candidates:
        report = _judged(workspace, versions, as_of)
    for name in [*candidates, *([report.champion] if report.champion else [])]:
        write_card(workspace, workspace.registry.version(name), _answer(workspace, name))
    return report


def _judged(workspace: Workspace, versions: Sequence[Version], as_of: datetime) -> GateReport:
    """Send the best of the versions to the gate, and put the answer on record."""
    challenger, champion = best(workspace, versions), workspace.champion(as_of)
    rows = _unseen(workspace, [challenger, *([champion] if champion else [])], as_of)
    earlier = _earlier(workspace, challenger, as_of)
    report = judge(
        workspace.spec,
        rows,
        contender(workspace, challenger, rows, earlier),
        contender(workspace, champion, rows, earlier) if champion else None,
        base=np.asarray(challenger.metrics["base"]),
        earlier=earlier,
    )
    _settle(workspace, report, versions, champion, as_of)
    return report


def _answer(workspace: Workspace, version: str) -> GateReport | None:
    """The gate's answer about a version, if it was one that was judged."""
    return next((each for each in decisions(workspace).values() if each.challenger == version), None)


def decisions(workspace: Workspace) -> dict[datetime, GateReport]:
    """The gate's answers that are on record, by the instant at which they were given, in order."""
    found = {
        change.at: _read(change.evidence["gate"])
        for change in workspace.registry.transitions(workspace.project.name)
        if "gate" in change.evidence
    }
    return dict(sorted(found.items()))


def _read(kept: Mapping[str, Any]) -> GateReport:
    return GateReport(**{**kept, "checks": tuple(Check(**check) for check in kept["checks"])})


def best(workspace: Workspace, versions: Sequence[Version]) -> Version:
    """The candidate for the gate: of those within its margin of the lowest loss, the simplest.

    They are compared on the validation rows, for the holdout is for the gate alone, and with what the
    spec holds a millisecond to be worth.
    """
    weight = workspace.spec.constraints.loss_per_ms
    losses = {each.id: each.metrics["validation"]["loss"] + weight * _milliseconds(each) for each in versions}
    near = [each for each in versions if losses[each.id] <= min(losses.values()) + workspace.spec.gate.margin]
    return min(near, key=lambda version: (family(version.family).complexity, losses[version.id]))


def contender(workspace: Workspace, version: Version, rows: Rows, earlier: Rows | None) -> Contender:
    """A version before the gate: loaded from the registry, and scored afresh."""
    model = served(workspace, version)
    known = pl.read_parquet(workspace.registry.file(version, REFERENCE)).drop_nulls("prediction")
    now, then = model.predict(known), from_column(known["prediction"])
    return Contender(
        id=version.id,
        answers=model.predict(rows.frame),
        complexity=family(version.family).complexity,
        fitted_until=version.lineage.trained_until,
        files=tuple(Served(**facts) for facts in version.metrics["served"]),
        fitted=pl.read_parquet(workspace.registry.file(version, FITTED)),
        earlier=model.predict(earlier.frame) if earlier is not None else None,
        off_record=float(np.abs(now - then).max(initial=0.0)),
        recalibrated=version.lineage.keeps is not None,
    )


def _milliseconds(version: Version) -> float:
    return max(float(file["p99_us"]) for file in version.metrics["served"]) / 1_000


def _unseen(workspace: Workspace, versions: Sequence[Version], as_of: datetime) -> Rows:
    """The labelled rows known at `as_of` that are newer than all that the versions were fitted on."""
    since = max(version.lineage.trained_until for version in versions)
    rows = labelled(workspace, as_of, since)
    group = list(workspace.spec.outcome.group)
    if group:  # of a list that began before, some rows were seen
        before = labelled(workspace, as_of).filter(pl.col("event_time") < since).select(group)
        rows = rows.join(before, on=group, how="anti", nulls_equal=True, maintain_order="left")
    return Rows.of(rows, workspace.spec.outcome)


def _earlier(workspace: Workspace, challenger: Version, as_of: datetime) -> Rows | None:
    """The rows that the challenger's fit only stopped and calibrated on."""
    made, until = challenger.lineage, challenger.lineage.trained_until
    since = made.calibrated_since or made.learnt_until
    if since is None:
        return None
    closed: Literal["left", "none"] = "left" if made.calibrated_since else "none"
    rows = labelled(workspace, as_of, since).filter(pl.col("event_time").is_between(since, until, closed))
    return Rows.of(rows, workspace.spec.outcome) if rows.height else None


def _settle(
    workspace: Workspace,
    report: GateReport,
    versions: Sequence[Version],
    champion: Version | None,
    as_of: datetime,
) -> None:
    """Put the gate's answer on record: the challenger's last, since it is what marks the whole as done."""
    for version in versions:
        if version.id != report.challenger and version.stage == "challenger":
            why = f"{report.challenger} was the better candidate"
            workspace.registry.retire(version, why=why, evidence={}, at=as_of, by=BY)
    change: dict[str, Any] = {"why": "; ".join(report.reasons), "evidence": {"gate": report}}
    change |= {"at": as_of, "by": BY}
    if not report.accepted:
        workspace.registry.retire(report.challenger, **change)
    elif champion is not None and _goes_by_steps(workspace):
        take_over(workspace, report.challenger, as_of, BY, "the gate let it through")
        workspace.registry.accept(report.challenger, **change)
    else:
        workspace.registry.promote(report.challenger, over=champion, **change)


def _goes_by_steps(workspace: Workspace) -> bool:
    """Whether the gate's winner takes over by steps: nobody asks a history that is lived through."""
    rules, served_online = workspace.spec.release, workspace.lake.exists(PREDICTIONS)
    is_live = served_online and workspace.shared is None
    return is_live and rules.after_gate == "by steps" and rules.steps[0] < 1
