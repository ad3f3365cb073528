"""What a stop or a kill has interrupted is begun again: runs of flows whose processes are gone."""

from datetime import UTC, datetime
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Scheduled

from flows.machine.parts import POOL
from flows.machine.state import Up

INTERRUPTED = [StateType.PENDING.value, StateType.RUNNING.value, StateType.CANCELLING.value]


def resume_interrupted(up: Up) -> int:
    """Schedule the runs that were at work before the supervisor was started; how many.

    Their processes have been ended by then: those of the pool of this machine's own server are all of
    this machine. Of a server that was given, others may be at work. A run that was being cancelled is
    cancelled.
    """
    begun, resumed = datetime.fromtimestamp(up.supervisor.since, UTC), 0
    if not up.own_server:
        return 0
    with get_client(sync_client=True) as client:
        for run in _interrupted(client):
            if run.state and run.state.timestamp < begun:
                cancelled = run.state.type == StateType.CANCELLING
                state: State[Any] = Cancelled() if cancelled else Scheduled(name="Resuming")
                client.set_flow_run_state(run.id, state, force=True)
                resumed += not cancelled
    return resumed


def _interrupted(client: SyncPrefectClient) -> list[FlowRun]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": INTERRUPTED}}}),
        work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [POOL]}}),
        limit=200,  # far more than a worker runs at once
    )
    return list(found)
