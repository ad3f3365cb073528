"""The progressive release flow: a version takes over step by step, and goes back if it is worse."""

from datetime import datetime

from prefect import flow

from flows.instants import standing
from flows.signals import RELEASED, ROLLED_BACK, signal
from stages.release.look import Look
from tasks.news import TOLD
from tasks.releasing import begin_release, look_at_release


@flow(name="progressive-release", flow_run_name="progressive release {project}", **TOLD)
def progressive_release(
    project: str, version: str | None = None, as_of: datetime | None = None
) -> Look | None:
    """Begin the release of a version, or look once at the one that is on its way; None where none is.

    Each step is held until the version had the requests and the time that the spec says. Whatever is watched
    and surely worse than the champion's takes it back at once. Its schedule looks again and again.

    Args:
        project: The project, a folder of projects/.
        version: The version that is to take over; without it the one that is on its way.
        as_of: The instant to stand at; by default the scheduled start of the run.
    """
    as_of = standing(as_of)
    if version is not None:
        began = begin_release(project, version, as_of)
        signal(RELEASED, project, version=version, release=began)
    looked = look_at_release(project, as_of)
    if looked is not None and looked.outcome != "held":
        event = ROLLED_BACK if looked.outcome == "rolled back" else RELEASED
        signal(event, project, version=looked.version, outcome=looked.outcome, share=looked.now)
    return looked
