"""The report flow: the pages about a project, from its tables and its registry alone."""

from datetime import datetime
from pathlib import Path

from prefect import flow, unmapped

from flows.progress import now
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.reporting import report_drift, report_lifecycle, report_site
from tasks.telling import report_to_wandb


@flow(name="report", flow_run_name="report {project}", task_runner=fan_out())
def report(project: str, as_of: datetime, wall_seconds: float) -> Path:
    """Write a drift page for each scored batch, the page of the whole lifecycle (its path), and the site.

    The same story goes to W&B, where that is on.
    """
    now("writing reports")
    scored = list(open_workspace(project).ledger.results("score"))
    for future in report_drift.map(unmapped(project), scored):
        future.result()
    page = report_lifecycle(project, as_of, wall_seconds)
    report_to_wandb(project, as_of)
    report_site(project, as_of)
    return page
