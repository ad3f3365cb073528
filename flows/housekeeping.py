"""The housekeeping flow: what a project has no use for is put away, and the rest kept in order."""

from datetime import UTC, datetime

from prefect import flow
from prefect.runtime import flow_run

from flows.progress import now
from stages.housekeeping import STEPS
from stages.housekept import Housekept, Instants, Unfinished
from tasks.housekeeping import housekeep_step, prune_runs, show_housekeeping


@flow(name="housekeeping", flow_run_name="housekeeping {project}")
def housekeeping(project: str, as_of: datetime | None = None) -> Housekept:
    """End retentions, archive versions, compact and vacuum tables, remove files and runs out of use.

    Rows and versions are old as seen from `as_of`: by default when the run was scheduled for. Each step
    may be repeated, and runs beside others of the project. Unfinished tells what failed, in the end.
    """
    clock = datetime.now(UTC)
    instants = Instants(as_of or flow_run.scheduled_start_time or clock, clock)
    found = Housekept(project, instants.as_of)
    for step in STEPS:
        now(f"housekeeping: {step}")
        found.add(housekeep_step(project, step, instants))
    found.add(prune_runs(project, instants))
    show_housekeeping(found)
    if found.faults:
        raise Unfinished(found)
    return found
