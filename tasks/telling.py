"""The task that tells a project's story in W&B."""

import logging
from datetime import datetime

from prefect import task
from prefect.artifacts import create_link_artifact

from stages.reports.story import cite_report, report_story
from stages.workspace import open_workspace
from tasks.ingestion import slug

_log = logging.getLogger(__name__)


@task(name="W&B report")
def report_to_wandb(project: str, as_of: datetime) -> str:
    """Write the project's W&B report, publish it online, and link it; its link, or "" when it has none.

    It fails no run: what goes wrong is logged.
    """
    workspace = open_workspace(project)
    try:
        report_story(workspace, as_of)
        link = cite_report(workspace)
    except Exception as error:
        _log.warning("there is no W&B report of %s, the flow goes on: %s", project, error)
        return ""
    if link:
        told = f"{project}: the W&B report"
        create_link_artifact(key=f"{slug(project)}-wandb-report", link=link, link_text=told, description=told)
    return link
