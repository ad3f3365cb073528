"""The retrain flow: a challenger by the way that was decided, and the gate between it and the champion."""

from datetime import datetime

from prefect import flow
from prefect.logging import get_run_logger

from flows.promote import promote
from flows.train import train
from models.gate.judge import GateReport
from monitoring.actions import Challenge
from stages.promote import decisions
from stages.workspace import open_workspace
from tasks.training import Unfit, recalibrate_champion, register_candidates


@flow(name="retrain", flow_run_name="retrain {project}: {action}")
def retrain(project: str, as_of: datetime, action: Challenge = "retrain stateless") -> GateReport:
    """Make challengers of what is known at `as_of`, and let the best meet the champion.

    Each is fitted from nothing, or goes on from the champion, or is the champion with its calibration
    fitted anew. Asked again about the same instant, it answers from the record.
    """
    if report := decisions(open_workspace(project)).get(as_of):
        return promote(project, [report.challenger], as_of)
    if action == "recalibrate":
        return promote(project, _recalibrated(project, as_of), as_of)
    return promote(project, train(project, as_of, stateful=action == "retrain stateful"), as_of)


def _recalibrated(project: str, as_of: datetime) -> list[str]:
    """The version of the champion's fit with a new calibration; fits from nothing, where there is none."""
    found = recalibrate_champion(project, as_of)
    if isinstance(found, Unfit):
        get_run_logger().warning("fits from nothing instead: %s", found.reason)
        return train(project, as_of, stateful=False)
    return register_candidates(project, [found])
