"""Calibrated: what the newest outcomes say of the champion's claims, by which its estimates are corrected."""

from datetime import datetime

from models.answers import from_column
from models.calibration.form import Calibration
from models.problem import problem_of
from models.rows import Rows
from monitoring.performance.refit import refit
from stages.monitoring.realise import realised_by
from stages.workspace import Workspace


def calibrations(workspace: Workspace, champion: str, as_of: datetime) -> dict[str, Calibration]:
    """The calibration that the last judged batch of the champion asks for; empty where there is none.

    A candidate has just shown the gate how well it is calibrated. A champion may be long past that: too sure
    of itself, it would expect less of a loss than an honest candidate, and have it taken back.
    """
    judged = workspace.ledger.results("monitor")
    batches = [each for each in workspace.spec.batches.calendar().batches() if each.id in judged]
    own = [each for each in batches if judged[each.id]["version"] == champion]
    if not own:
        return {}
    known = realised_by(workspace, own[-1], champion, as_of)
    if known.height < workspace.spec.monitoring.min_rows:
        return {}
    rows = Rows.of(known, workspace.spec.outcome)
    found = refit(problem_of(workspace.spec), from_column(known["prediction"]), rows.labels)
    return {champion: found} if found else {}
