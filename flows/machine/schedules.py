"""When the deployments of a project ran last, and run next, as the Prefect server has it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

from flows.machine.facts import Deployed, LastRun


def deployed(project: str) -> list[Deployed] | None:
    """What is registered of a project, by name; None when the server does not answer."""
    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployments(deployment_filter=_tagged(project))
            told = [_deployed(client, each) for each in found]
    except (httpx.HTTPError, PrefectHTTPStatusError):
        return None
    return sorted(told, key=lambda each: each["deployment"])


def _deployed(client: SyncPrefectClient, deployment: DeploymentResponse) -> Deployed:
    flow = client.read_flow(deployment.flow_id).name
    coming = _run(client, deployment.id, {"any_": ["SCHEDULED"]}, FlowRunSort.EXPECTED_START_TIME_ASC)
    last = _run(client, deployment.id, {"not_any_": ["SCHEDULED"]}, FlowRunSort.EXPECTED_START_TIME_DESC)
    return {
        "deployment": f"{flow}/{deployment.name}",
        "schedules": [getattr(each.schedule, "cron", str(each.schedule)) for each in _active(deployment)],
        "next": _instant(coming.expected_start_time) if coming else None,
        "last": _last(last) if last else None,
    }


def _run(client: SyncPrefectClient, of: UUID, states: dict[str, Any], sort: FlowRunSort) -> FlowRun | None:
    found = client.read_flow_runs(
        deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [of]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": states}}),
        sort=sort,
        limit=1,
    )
    return found[0] if found else None


def _last(run: FlowRun) -> LastRun:
    why = run.state.message if run.state and run.state.type != StateType.COMPLETED else None
    name = run.state.name if run.state else None
    return {"at": _instant(run.start_time or run.expected_start_time), "state": name or "unknown", "why": why}


def _active(deployment: DeploymentResponse) -> list[Any]:
    return [] if deployment.paused else [each for each in deployment.schedules if each.active]


def _tagged(project: str) -> DeploymentFilter:
    return DeploymentFilter.model_validate({"tags": {"all_": [project]}, "name": {"any_": [project]}})


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
