"""The task that looks for a family's parameters: the trials of a round run side by side on the cluster."""

from collections.abc import Sequence
from datetime import datetime

from prefect import task
from prefect.artifacts import create_table_artifact

from models.tuning.trial import Proposal, Trial
from stages.models.tune import Tuned, try_out, tuned
from stages.workspace import open_workspace
from tasks.fanout import spread
from tasks.ingestion import slug
from tasks.recovery import PATIENT


@task(name="tune", task_run_name="tune {family}", **PATIENT)
def tune_family(project: str, family: str, as_of: datetime) -> Tuned:
    """Look for the parameters of one family, and leave a table of the trials in the Prefect UI."""
    found = search_on_cluster(project, family, as_of)
    create_table_artifact(
        key=f"{slug(project)}-{slug(family)}-trials",
        table=found.rows(),
        description=f"{family}: trial {found.best.number} of {len(found.trials)} has the least loss",
    )
    return found


def search_on_cluster(project: str, family: str, as_of: datetime) -> Tuned:
    """The search, from inside a task on the cluster."""

    def attempt(proposals: Sequence[Proposal]) -> list[Trial]:
        return spread(try_on_worker, [(project, family, as_of, each) for each in proposals])

    return tuned(open_workspace(project), family, as_of, attempt)


def try_on_worker(project: str, family: str, as_of: datetime, proposal: Proposal) -> Trial:
    """One trial, where a worker does it: it reads its rows from the lake."""
    return try_out(open_workspace(project), family, as_of, proposal)
