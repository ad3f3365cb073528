"""Tasks that write the pages people look at."""

from datetime import datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_image_artifact, create_link_artifact

from reports.headlines import name_of
from reports.lifecycle.page import picture
from stages.reports.drift import drift_report
from stages.reports.lifecycle import lifecycle_report, summary
from stages.reports.site import site_report
from stages.workspace import open_workspace
from tasks.ingestion import slug
from tasks.recovery import PATIENT


@task(name="drift report", task_run_name="drift report {batch}", **PATIENT)
def report_drift(project: str, batch: str) -> Path | None:
    """Write Evidently's page about one scored batch."""
    workspace = open_workspace(project)
    return drift_report(workspace, workspace.batch(batch))


@task(name="lifecycle report", **PATIENT)
def report_lifecycle(project: str, as_of: datetime, wall_seconds: float) -> Path:
    """Write the page and the summary of the whole lifecycle, and show the performance in Prefect's UI."""
    workspace = open_workspace(project)
    page = lifecycle_report(workspace, as_of, wall_seconds)
    facts = summary(workspace, as_of)
    if drawn := picture(facts):
        told = f"{project}: realised {name_of(facts['headlines'][0])} by batch"
        create_image_artifact(key=f"{slug(project)}-performance", image_url=drawn, description=told)
    return page


@task(name="site report", **PATIENT)
def report_site(project: str, as_of: datetime) -> Path:
    """Write the pages of the site, and link them."""
    page = site_report(open_workspace(project), as_of)
    told = f"{project}: the site"
    # Browsers open no file from a page of the web: who wants it there needs its path.
    where = f"{told}, in `{page}`"
    create_link_artifact(key=f"{slug(project)}-site", link=page.as_uri(), link_text=told, description=where)
    return page
