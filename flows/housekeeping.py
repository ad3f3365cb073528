"""The housekeeping flow: what a project has no use for is put away, and the rest kept in order."""

from datetime import UTC, datetime

from prefect import flow

from flows.instants import standing
from flows.progress import now
from stages.housekeeping.housekeep import STEPS
from stages.housekeeping.housekept import Housekept, Instants, Unfinished
from tasks.alerting import deliver_pending
from tasks.housekeeping import housekeep_step, prune_runs, show_housekeeping
from tasks.news import TOLD


@flow(name="housekeeping", flow_run_name="housekeeping {project}", **TOLD)
def housekeeping(project: str, as_of: datetime | None = None) -> Housekept:
    """End retentions, archive versions, compact and vacuum tables, remove files and runs out of use.

    Alerts that could not be sent are sent. Each step may be repeated, and runs beside others of the
    project. Unfinished tells what failed, in the end.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant that ages are counted from; by default the scheduled start of the run.
    """
    instants = Instants(standing(as_of), datetime.now(UTC))
    found = Housekept(project, instants.as_of)
    for step in STEPS:
        now(f"housekeeping: {step}")
        found.add(housekeep_step(project, step, instants))
    found.add(prune_runs(project, instants))
    show_housekeeping(found)
    deliver_pending(project)
    if found.faults:
        raise Unfinished(found)
    return found
