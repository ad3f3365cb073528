"""Tasks that write the pages people look at."""

from datetime import datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_image_artifact, create_link_artifact

from reports.lifecycle import picture
from stages.pages import drift_report, lifecycle_report, summary
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
    """Write the page and the summary of the whole lifecycle, and link it."""
    workspace = open_workspace(project)
    page = lifecycle_report(workspace, as_of, wall_seconds)
    told = f"{project}: the whole lifecycle"
    # Browsers open no file from a page of the web: who wants it there needs its path.
    where = f"{told}, in `{page}`"
    create_link_artifact(
        key=f"{slug(project)}-lifecycle", link=page.as_uri(), link_text=told, description=where
    )
    if drawn := picture(summary(workspace, as_of)):
        told = f"{project}: realised AUC by batch"
        create_image_artifact(key=f"{slug(project)}-performance", image_url=drawn, description=told)
    return page
