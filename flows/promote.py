"""The promote flow: a challenger becomes champion only through the gate."""

from datetime import datetime

from prefect import flow

from models.gate.judge import GateReport
from tasks.training import promote_best


@flow(name="promote", flow_run_name="promote {project}")
def promote(project: str, candidates: list[str], as_of: datetime) -> GateReport:
    """Send the best of the candidates to the gate; the gate's report."""
    return promote_best(project, candidates, as_of)
