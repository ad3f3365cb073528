"""The story of a project, from its registry, ledger and replay, and the W&B report that tells it."""

import json
import logging
from datetime import datetime
from pathlib import Path

from core.errors import PerennialError
from models.gate.judge import GateReport
from models.registry.versions import Version
from models.tracking import Outcome, mode
from reports.lifecycle.page import Batch
from reports.wandb.kept import keep, link
from reports.wandb.publish import publish
from reports.wandb.report import definition
from reports.wandb.story import Measured, Model, Replay, Story, Watched
from stages.champion.promote import decisions
from stages.models.cards import cite
from stages.reports.lifecycle import summary
from stages.workspace import Workspace

_log = logging.getLogger(__name__)


def story(workspace: Workspace, as_of: datetime) -> Story:
    """What is to be told up to `as_of`; a replay that cannot be read is left out, and said."""
    facts = summary(workspace, as_of)
    answers = {each.challenger: each for each in decisions(workspace).values()}
    versions = workspace.registry.versions(workspace.project.name)
    return Story(
        project=workspace.project.name,
        title=workspace.spec.title,
        as_of=f"{as_of:%Y-%m-%d}",
        headlines=facts["headlines"],
        models=[_model(version, answers.get(version.id)) for version in versions],
        watched=[_watched(batch) for batch in facts["batches"] if batch["champion"]],
        drift_threshold=facts["drift_threshold"],
        replay=_replay(workspace.reports / "replay" / "summary.json"),
    )


def report_story(workspace: Workspace, as_of: datetime) -> Outcome | None:
    """Write the project's W&B report and, online, publish it; what became of that, if anything did.

    It is written beside the tracked runs, and not at all when nothing is tracked.
    """
    if mode() == "disabled":
        return None
    keep(workspace.settings.home, definition(story(workspace, as_of)))
    if mode() != "online":
        return None
    outcome = publish(workspace.settings.home, workspace.project.name)
    if outcome is not None and outcome.state != "sent":
        _log.warning("the %s was not sent (%s): `make wandb-sync` sends it later", outcome.run, outcome.why)
    return outcome


def cite_report(workspace: Workspace) -> str:
    """What leads to the project's W&B report, once the cards of its versions say so too; or ""."""
    found = link(workspace.settings.home, workspace.project.name)
    if found:
        cite(workspace, found)
    return found


def _model(version: Version, answer: GateReport | None) -> Model:
    verdict = ("accepted" if answer.accepted else "refused") if answer else ""
    kept = version.metrics["described"]["measures"]
    return Model(
        version=version.id,
        family=version.family,
        stage=version.stage,
        made=f"{version.lineage.as_of:%Y-%m-%d}",
        measures={name: Measured.read(found) for name, found in kept.items()},
        gate="; ".join([verdict, *answer.reasons[:1]]) if answer else "",
        run=version.metrics.get("run", ""),
    )


def _watched(batch: Batch) -> Watched:
    return Watched(
        batch=batch["batch"],
        version=batch["champion"] or "",
        measures={name: _measured(batch, name, value) for name, value in batch["measures"].items()},
        baseline=batch["baseline"],
        drift=batch["drift"],
        prediction_drift=batch["prediction_drift"],
        decision=batch["decision"] or "",
        outcome=_outcome(batch),
        reasons=batch["reasons"],
        final=bool(batch["final"]),
    )


def _outcome(batch: Batch) -> str:
    if batch["retrained"]:
        return f"{batch['retrained']} serves"
    return f"{batch['challenger']} refused" if batch["challenger"] else ""


def _measured(batch: Batch, name: str, value: float | None) -> Measured:
    low, high = batch["intervals"].get(name) or (None, None)
    return Measured(value, low, high)


def _replay(path: Path) -> Replay | None:
    if not path.is_file():
        return None
    try:
        return Replay.read(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (ValueError, PerennialError) as error:
        _log.warning("the replay is left out of the W&B report: %s", error)
        return None
