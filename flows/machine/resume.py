"""What a stop or a kill has interrupted is begun again: runs of flows whose processes are gone."""

from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Scheduled

from flows.automations import KILLED
from flows.machine.parts import POOL
from flows.machine.state import Up

INTERRUPTED = [
    each.value for each in (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.CRASHED)
]


def resume_interrupted(up: Up) -> int:
    """Schedule the runs that were at work before the supervisor was started; how many.

    Their processes have been ended by then: those of the pool of this machine's own server are all of
    this machine. Of a server that was given, others may be at work. A run that was being cancelled is
    cancelled. One of before that the new server has found killed meanwhile was interrupted, too.
    """
    begun, resumed = datetime.fromtimestamp(up.supervisor.since, UTC), 0
    if not up.own_server:
        return 0
    with get_client(sync_client=True) as client:
        for run in _interrupted(client):
            if _was_at_work(run, begun):
                cancelled = run.state_type == StateType.CANCELLING
                state: State[Any] = Cancelled() if cancelled else Scheduled(name="Resuming")
                client.set_flow_run_state(run.id, state, force=True)
                resumed += not cancelled
    return resumed


def _was_at_work(run: FlowRun, begun: datetime) -> bool:
    if run.state is None or run.state.type != StateType.CRASHED:
        return run.state is not None and run.state.timestamp < begun
    is_found = run.state.message == KILLED and run.state.timestamp >= begun
    return is_found and run.start_time is not None and run.start_time < begun


def _interrupted(client: SyncPrefectClient) -> list[FlowRun]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": INTERRUPTED}}}),
        work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [POOL]}}),
        sort=FlowRunSort.START_TIME_DESC,
        limit=200,  # far more than a worker runs at once
    )
    return list(found)
