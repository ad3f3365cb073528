"""Tasks of a release: begun, and looked at."""

from datetime import datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact

from stages.release.give import begin
from stages.release.look import Look, look
from stages.workspace import open_workspace
from tasks.ingestion import slug
from tasks.news import tell_released
from tasks.recovery import PATIENT


@task(name="begin release", task_run_name="begin release of {version}", **PATIENT)
def begin_release(project: str, version: str, as_of: datetime) -> str:
    """Have a version take over by the steps of the spec; the release that is in force then."""
    workspace = open_workspace(project)
    return str(begin(workspace, workspace.registry.version(version), as_of, "progressive-release"))


@task(name="look at release", **PATIENT)
def look_at_release(project: str, as_of: datetime) -> Look | None:
    """Look once at who answers beside the champion, and do what that calls for; None where nobody does."""
    workspace = open_workspace(project)
    looked = look(workspace, as_of)
    if looked is not None:
        tell_released(workspace, looked, as_of)
        create_markdown_artifact(
            key=f"{slug(project)}-release",
            markdown=_told(looked),
            description=f"{project}: {looked.version} {looked.outcome} at {100 * looked.now:g} %",
        )
    return looked


def _told(looked: Look) -> str:
    """The look with its reasons, and what each watch says."""
    head = f"## {looked.version} beside {looked.champion}: {looked.outcome}, now {100 * looked.now:g} %"
    reasons = "\n".join(f"- {reason}" for reason in looked.reasons)
    lines = "\n".join(f"| {watch.name} | {watch.state} | {watch.reason} |" for watch in looked.watches)
    table = f"| watch | state | why |\n| --- | --- | --- |\n{lines}\n" if lines else ""
    return f"{head}\n\n{looked.requests:,} requests at this step\n\n{reasons}\n\n{table}"
