"""The retrain flow: new challengers, and the gate between them and the champion."""

from datetime import datetime

from prefect import flow

from flows.promote import promote
from flows.train import train
from models.gate.judge import GateReport
from tasks.news import TOLD, tell_opened


@flow(name="retrain", flow_run_name="retrain {project}", **TOLD)
def retrain(project: str, as_of: datetime) -> GateReport:
    """Train on what is known at `as_of`, and let the best challenger meet the champion."""
    tell_opened(project, as_of)
    return promote(project, train(project, as_of), as_of)
