"""The monitor flow: what a scored batch says of the champion, and whether to retrain."""

from datetime import datetime

from prefect import flow

from stages.monitor import Judged
from tasks.news import TOLD
from tasks.scoring import monitor_batch


@flow(name="monitor", flow_run_name="monitor {project} {batch}", **TOLD)
def monitor(project: str, batch: str, as_of: datetime) -> Judged | None:
    """Join the outcomes known at `as_of`, measure drift and performance, and decide."""
    return monitor_batch(project, batch, as_of)
