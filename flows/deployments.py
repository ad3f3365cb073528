"""The deployments: every flow of every project, to be started from the Prefect UI or its API."""

from contextlib import suppress
from typing import Any, cast

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType

from core.projects import names
from core.settings import Settings
from flows.backfill import backfill
from flows.ingest import ingest
from flows.lifecycle import lifecycle
from flows.monitor import monitor
from flows.release import release
from flows.retrain import retrain
from flows.score import score
from flows.train import train
from flows.tune import tune

FLOWS: tuple[Flow[..., Any], ...] = (
    ingest,
    backfill,
    release,
    tune,
    train,
    retrain,
    score,
    monitor,
    lifecycle,
)


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """One deployment a flow and project, named `<flow>/<project>` and tagged with the project."""
    return [_deployment(flow, project) for project in names(settings) for flow in FLOWS]


def register(settings: Settings) -> None:
    """Register all of them with the server, for the worker of the pool `perennial`."""
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name="perennial", type="process"))
    for project in names(settings):
        for flow in FLOWS:
            made = flow.to_deployment(
                name=project,
                parameters={"project": project},
                tags=[project],
                entrypoint_type=EntrypointType.MODULE_PATH,
                work_pool_name="perennial",
            )
            cast(RunnerDeployment, made).apply()


def _deployment(flow: Flow[..., Any], project: str) -> RunnerDeployment:
    made = flow.to_deployment(
        name=project,
        parameters={"project": project},
        tags=[project],
        description=flow.description,
        concurrency_limit=1,
    )
    return cast(RunnerDeployment, made)  # it is awaitable only inside an event loop
