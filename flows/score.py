"""The score flow: the champion's predictions for a batch."""

from datetime import datetime

from prefect import flow

from stages.score import Scored
from tasks.fanout import fan_out
from tasks.news import TOLD
from tasks.scoring import score_batch


@flow(name="score", flow_run_name="score {project} {batch}", task_runner=fan_out(), **TOLD)
def score(project: str, batch: str, as_of: datetime) -> Scored | None:
    """Score one batch with the champion of `as_of`; None while there is none."""
    scored: Scored | None = score_batch.submit(project, batch, as_of).result()
    return scored
