"""Housekeeping: what is out of use is put away, step by step; a step that fails is in no other's way."""

from collections.abc import Callable

from stages.housekeeping.files import delivered_files, temporary_files, tracked_runs
from stages.housekeeping.housekept import Housekept, Instants
from stages.housekeeping.models import model_files
from stages.housekeeping.retention import end_retention
from stages.housekeeping.served import end_served
from stages.housekeeping.tables import compact_tables, vacuum_tables
from stages.housekeeping.versions import retire_versions
from stages.workspace import Workspace

Step = Callable[[Workspace, Instants, Housekept], None]

# In this order: what a step lets go of, a later one may remove.
STEPS: dict[str, Step] = {
    "retention": end_retention,
    "served": end_served,
    "versions": retire_versions,
    "compaction": compact_tables,
    "vacuum": vacuum_tables,
    "deliveries": delivered_files,
    "model files": model_files,
    "tracked runs": tracked_runs,
    "temporary files": temporary_files,
}


def housekeep(workspace: Workspace, step: str, instants: Instants) -> Housekept:
    """Do one of `STEPS`: again, beside other runs, or after a kill, it ends in the same state.

    A fault stands in the way of no other thing, and is told in the answer.
    """
    found = Housekept(workspace.project.name, instants.as_of)
    STEPS[step](workspace, instants, found)
    return found
