"""What a stop or a kill has interrupted is begun again: runs of flows whose processes are gone."""

import socket
from datetime import UTC, datetime

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Scheduled

from flows.machine.parts import POOL
from flows.machine.processes import Identity

INTERRUPTED = [StateType.PENDING.value, StateType.RUNNING.value, StateType.CANCELLING.value]


def resume_interrupted(supervisor: Identity) -> int:
    """Schedule the runs that this machine had at work before the supervisor was started; how many.

    Their processes have been ended by then. A run that was being cancelled is cancelled.
    """
    begun = datetime.fromtimestamp(supervisor.started, UTC)
    resumed = 0
    with get_client(sync_client=True) as client:
        for run in _interrupted(client):
            if run.state and run.state.timestamp < begun and _was_here(run):
                cancelled = run.state.type == StateType.CANCELLING
                state = Cancelled() if cancelled else Scheduled(name="Resuming")
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


def _was_here(run: FlowRun) -> bool:
    """A worker names the host of the process; before it has started one it names nothing."""
    return run.infrastructure_pid is None or run.infrastructure_pid.startswith(f"{socket.gethostname()}:")
