"""The automations: which event of a project starts which of its deployments."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from flows.signals import INGESTED, JUDGED, REQUESTED, RETRAINED, SCORED, resource

# What each flow is started by. Each does what is due of its own kind, so none may be started too often.
STARTS: Mapping[str, tuple[str, ...]] = {
    "score": (INGESTED, JUDGED, RETRAINED),
    "monitor": (INGESTED, SCORED, RETRAINED),
    "retrain": (REQUESTED,),
}
PREFIX = "perennial: "
ALIVE = timedelta(seconds=90)  # a worker asks for work every few seconds
SILENT = timedelta(seconds=90)  # three heartbeats of the settings
KILLED = "It gave no sign of life any more"
# What ends the watch over a run until its next heartbeat: it is over, or waits to be begun again.
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Paused", "Resuming", "AwaitingRetry", "Pending")


def automate(deployments: Mapping[tuple[str, str], UUID]) -> None:
    """Make the automations of these deployments (by flow and project) anew, and remove all others of ours.

    One that a person has disabled stays so.
    """
    wanted = [_start(flow, project, deployments) for flow, project in deployments if flow in STARTS]
    wanted += [_again(project, deployments) for flow, project in deployments if flow == "retrain"]
    wanted.append(_crash())
    disabled = set()
    with get_client(sync_client=True) as client:
        while there := [each for each in client.read_automations() if each.name.startswith(PREFIX)]:
            disabled |= {each.name for each in there if not each.enabled}
            for each in there:
                client.delete_automation(each.id)
        for made in wanted:
            client.create_automation(made.model_copy(update={"enabled": made.name not in disabled}))


def is_automated(project: str) -> bool:
    """Whether a retraining that is asked for at this API is run by an automation: it is on, and served."""
    with get_client(sync_client=True) as client:
        try:
            name = _name("retrain", project)
            enabled = any(each.enabled for each in client.read_automations_by_name(name))
            polled = client.read_deployment_by_name(f"retrain/{project}").last_polled
        except (ObjectNotFound, httpx.HTTPError):
            return False
    return enabled and polled is not None and datetime.now(UTC) - polled < ALIVE


def is_on_its_way(project: str, request: int) -> bool:
    """Whether a run that is to answer this request waits to be started, and is not forgotten."""
    waits = {"type": {"any_": [StateType.SCHEDULED.value, StateType.PENDING.value]}}
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate({"state": waits}),
            deployment_filter=DeploymentFilter.model_validate({"name": {"any_": [project]}}),
            flow_filter=FlowFilter.model_validate({"name": {"any_": ["retrain"]}}),
        )
    now = datetime.now(UTC)
    return any(
        run.parameters.get("request") == request and run.state and now - run.state.timestamp < ALIVE
        for run in runs
    )


def _name(flow: str, project: str) -> str:
    return f"{PREFIX}{flow} {project}"


def _start(flow: str, project: str, deployments: Mapping[tuple[str, str], UUID]) -> AutomationCore:
    """Start a deployment whenever one of its events tells of its project."""
    parameters = _PASSED if flow == "retrain" else {}
    trigger = EventTrigger(
        expect=set(STARTS[flow]),
        match={"prefect.resource.id": resource(project)},
        posture=Posture.Reactive,
        threshold=1,
        # None is left out that follows another: what it tells of may have come too late for that run.
        within=timedelta(),
    )
    return AutomationCore(
        name=_name(flow, project),
        description=f"Starts {flow} when there is something to do for it in {project}",
        tags=["perennial", project],
        trigger=trigger,
        actions=[
            RunDeployment(source="selected", deployment_id=deployments[flow, project], parameters=parameters)
        ],
    )


def _again(project: str, deployments: Mapping[tuple[str, str], UUID]) -> AutomationCore:
    """Look at once for the request that a killed retraining has left; its attempts are numbered."""
    killed = f"prefect.deployment.{deployments['retrain', project]}"
    return AutomationCore(
        name=f"{PREFIX}retrain {project} again",
        description=f"Starts monitor when a retraining of {project} was killed, which opens it again",
        tags=["perennial", project],
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "deployment", "prefect.resource.id": killed},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(),
        ),
        actions=[RunDeployment(source="selected", deployment_id=deployments["monitor", project])],
    )


def _passed(name: str) -> dict[str, Any]:
    """A part of the event's payload as a parameter of the run, of the type that it has there."""
    template = {"__prefect_kind": "jinja", "template": f"{{{{ event.payload.{name} | tojson }}}}"}
    return {"__prefect_kind": "json", "value": template}


_PASSED = {name: _passed(name) for name in ("request", "action", "evidence")}


def _crash() -> AutomationCore:
    """Mark a run as crashed whose process is gone: nothing else tells Prefect that it was killed."""
    beat = "prefect.flow-run.heartbeat"
    return AutomationCore(
        name=f"{PREFIX}mark killed runs",
        description="Marks runs as crashed that have given no sign of life",
        tags=["perennial"],
        trigger=EventTrigger(
            after={beat},
            expect={beat, *(f"prefect.flow-run.{state}" for state in _ENDS)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENT,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=KILLED)],
    )
