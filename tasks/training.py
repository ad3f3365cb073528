"""Tasks that make models: a fit, tracked, exported and registered; and the gate."""

from datetime import datetime
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from core.errors import UnfitError
from models.gate.judge import GateReport
from models.problem import headlines
from models.registry.versions import Version
from stages.champion.promote import promote
from stages.champion.roll_back import roll_back, rolled_back
from stages.models.cards import card_path
from stages.models.learn import Parameters
from stages.models.recalibrate import recalibrate
from stages.models.train import Candidate, Unfit, register, train
from stages.workspace import Workspace, open_workspace
from tasks.ingestion import slug
from tasks.news import tell_gate, tell_rolled_back
from tasks.recovery import PATIENT


@task(name="train", task_run_name="train {family}", **PATIENT)
def train_family(
    project: str,
    family: str,
    as_of: datetime,
    members: list[Candidate],
    tuned: Parameters,
    *,
    stateful: bool = True,
) -> Candidate | Unfit:
    """Fit, calibrate, export and measure one family, which is made of these fits."""
    try:
        return train(open_workspace(project), family, as_of, members, tuned, stateful=stateful)
    except UnfitError as error:
        return Unfit(str(error))


@task(name="recalibrate", **PATIENT)
def recalibrate_champion(project: str, as_of: datetime) -> Candidate | Unfit:
    """Calibrate the champion's fit anew, export and measure it."""
    try:
        return recalibrate(open_workspace(project), as_of)
    except UnfitError as error:
        return Unfit(str(error))


@task(name="roll back", **PATIENT)
def restore_earlier(project: str, as_of: datetime) -> str:
    """Make the version before the champion champion again; its id."""
    workspace = open_workspace(project)
    restored = roll_back(workspace, as_of)
    tell_rolled_back(workspace, restored.id, rolled_back(workspace)[as_of].why, as_of)
    create_markdown_artifact(
        key=f"{slug(project)}-roll-back",
        markdown=f"## roll back → {restored}\n\n{rolled_back(workspace)[as_of].why}\n",
        description=f"{project}: rolled back to {restored}",
    )
    return restored.id


@task(name="register", **PATIENT)
def register_candidates(project: str, candidates: list[Candidate]) -> list[str]:
    """Enter the fits as challengers; the ids of their versions."""
    workspace = open_workspace(project)
    versions = register(workspace, candidates)
    create_table_artifact(
        key=f"{slug(project)}-fits",
        table=[_fit(workspace, version) for version in versions],
        description=f"{project}: fits as of {versions[0].lineage.as_of:%Y-%m-%d %H:%M} UTC, on their holdout",
    )
    return [version.id for version in versions]


@task(name="promote", **PATIENT)
def promote_best(project: str, candidates: list[str], as_of: datetime) -> GateReport:
    """Let the best candidate meet the champion in the gate."""
    workspace = open_workspace(project)
    report = promote(workspace, candidates, as_of)
    tell_gate(workspace, report, as_of)
    create_table_artifact(
        key=f"{slug(project)}-gate",
        table=[
            {"check": check.name, "passed": "yes" if check.passed else "NO", "detail": check.detail}
            for check in report.checks
        ],
        description=_told(report),
    )
    return report


def _fit(workspace: Workspace, version: Version) -> dict[str, Any]:
    """A version as a line of a table."""
    measures = {name: version.metrics["holdout"].get(name) for name in headlines(workspace.spec)}
    return {
        "version": version.id,
        "family": version.family,
        **{name: None if value is None else round(value, 4) for name, value in measures.items()},
        "seconds": round(version.metrics["seconds"], 1),
        "card": str(card_path(workspace, version)),
    }


def _told(report: GateReport) -> str:
    verdict = "accepted" if report.accepted else "refused"
    against = report.champion or "the base rate (there was no champion)"
    return f"{report.challenger} {verdict} against {against}, on {report.rows:,} rows of {report.blocks} days"
