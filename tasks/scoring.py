"""Tasks that follow a batch once there is a champion: its predictions and its judgement."""

from datetime import datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact

from stages.models.cards import card_path
from stages.monitoring.alerts import page
from stages.monitoring.monitor import Judged, judge_batch
from stages.score import Scored, score
from stages.workspace import open_workspace
from tasks.ingestion import slug
from tasks.news import tell_decided
from tasks.recovery import PATIENT


@task(name="score", task_run_name="score {batch}", **PATIENT)
def score_batch(project: str, batch: str, as_of: datetime) -> Scored | None:
    """Score one batch with the champion; None while there is none."""
    workspace = open_workspace(project)
    scored = score(workspace, workspace.batch(batch), as_of)
    if scored is not None:
        card = card_path(workspace, workspace.registry.version(scored.version))
        create_markdown_artifact(
            key=f"{slug(project)}-scored",
            markdown=f"{scored.rows:,} rows, by [{scored.version}]({card.as_uri()}), in `{card}`",
            description=f"{project} {batch}: scored by {scored.version}",
        )
    return scored


@task(name="monitor", task_run_name="monitor {batch}", **PATIENT)
def monitor_batch(project: str, batch: str, as_of: datetime) -> Judged | None:
    """Measure drift and realised performance of a scored batch, and decide; None if it was not scored."""
    workspace = open_workspace(project)
    judged = judge_batch(workspace, workspace.batch(batch), as_of)
    if judged is not None:
        create_markdown_artifact(
            key=f"{slug(project)}-decision",
            markdown=_told(judged, page(workspace, f"drift/{batch}.html")),
            description=f"{project} {batch}: {judged.decision}",
        )
    tell_decided(workspace, judged, as_of)
    return judged


def _told(judged: Judged, link: str) -> str:
    """The decision with its reasons, the numbers behind them, and Evidently's page."""
    state = "" if judged.final else ", provisional"
    head = f"## {judged.batch}: {judged.decision}{state}\n\nscored by {judged.version}; "
    head += f"{judged.labelled:,} of {judged.scored:,} outcomes are known"
    reasons = "\n".join(f"- {reason}" for reason in judged.reasons)
    # What could not be measured has no number.
    known = [(name, value) for name, value in judged.numbers.items() if value is not None]
    table = "\n".join(f"| {name} | {value:.4g} |" for name, value in known)
    told = f"{head}\n\n{reasons}\n\n[Evidently's page]({link})"
    return f"{told}\n\n| number | value |\n| --- | --- |\n{table}\n"
