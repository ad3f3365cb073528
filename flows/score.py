"""The score flow: the champion's predictions for batches that are over."""

from datetime import datetime

from prefect import flow

from flows.instants import run_name, standing
from flows.signals import SCORED, signal
from stages.due import due
from stages.score import Scored
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.news import TOLD
from tasks.scoring import score_batch


@flow(name="score", flow_run_name=run_name, task_runner=fan_out(), **TOLD)
def score(project: str, batch: str | None = None, as_of: datetime | None = None) -> Scored | None:
    """Score one batch with the champion, or all that are due; what was scored last, None if nothing was.

    Batches are scored in order of time, each by who was champion when it was over, and none beyond a
    judgement that is due or waits for its retraining.

    Args:
        project: The project, a folder of projects/.
        batch: The id of a batch, such as 2013-04; by default all that are due.
        as_of: The instant to stand at; by default the scheduled start of the run.
    """
    as_of = standing(as_of)
    if batch is not None:
        return _scored(project, batch, as_of)
    newest = None
    for instant, happens, each in due(open_workspace(project), as_of):
        if happens != "score":
            break
        newest = _scored(project, each.id, instant)
    if newest is not None:
        signal(SCORED, project, batch=newest.batch, version=newest.version)
    return newest


def _scored(project: str, batch: str, as_of: datetime) -> Scored | None:
    scored: Scored | None = score_batch.submit(project, batch, as_of).result()
    return scored
