"""Tasks of housekeeping: a step each, the old runs of Prefect, and what is told of it all."""

from collections.abc import Iterator
from datetime import datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun
from prefect.exceptions import ObjectNotFound

from stages.housekeeping.housekeep import housekeep
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.workspace import open_workspace
from tasks.ingestion import slug

PAGE = 200  # what the API answers at most
MOST = 2_000  # runs that one housekeeping removes: the rest is for the next


@task(name="housekeep", task_run_name="housekeep {step}")
def housekeep_step(project: str, step: str, instants: Instants) -> Housekept:
    """Do one step; it tells its faults, so that there is nothing to be tried again here."""
    return housekeep(open_workspace(project), step, instants)


@task(name="prune runs")
def prune_runs(project: str, instants: Instants) -> Housekept:
    """Delete the runs of a project that ended longer ago than `retention.flow_runs`, with their task runs."""
    found = Housekept(project, instants.as_of)
    kept = open_workspace(project).spec.retention.flow_runs
    if kept is not None:
        found.attempt("runs of Prefect", _pruned, project, instants.now - kept)
    return found


@task(name="show housekeeping")
def show_housekeeping(found: Housekept) -> None:
    """Leave what was removed and kept in the Prefect UI."""
    rows = found.told()
    names = list(rows[0]) if rows else []
    table = [names, ["---"] * len(names), *(list(row.values()) for row in rows)]
    lines = [f"| {' | '.join(cells)} |" for cells in table] if rows else ["there is nothing to be put away"]
    create_markdown_artifact(
        key=f"{slug(found.project)}-housekeeping",
        markdown="\n".join([*lines, "", *(f"- failed: {fault}" for fault in found.faults)]),
        description=f"{found.project}: what housekeeping removed, kept and why",
    )


def _pruned(project: str, until: datetime) -> Iterator[Line]:
    with get_client(sync_client=True) as client:
        old = [run.id for run in _ended(client, project, until)]
        for run in old:
            try:
                client.delete_flow_run(run)
            except ObjectNotFound:  # gone with another, or by another housekeeping
                continue
    if old:
        more = ", more are left for the next time" if len(old) == MOST else ""
        yield Line(
            "flow runs", "Prefect", f"deleted {len(old)} runs that ended before {until:%Y-%m-%d}{more}"
        )


def _ended(client: SyncPrefectClient, project: str, until: datetime) -> list[FlowRun]:
    """The runs of a project that ended before an instant: each has the project as a parameter."""
    which = FlowRunFilter(
        end_time=FlowRunFilterEndTime(before_=until),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
    )
    found: list[FlowRun] = []
    offset = 0
    while len(found) < MOST:
        page = client.read_flow_runs(flow_run_filter=which, limit=PAGE, offset=offset)
        found += [run for run in page if run.parameters.get("project") == project]
        offset += len(page)
        if len(page) < PAGE:
            break
    return found[:MOST]
