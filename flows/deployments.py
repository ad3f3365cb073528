"""The deployments: every flow of every project, to be started by time, by events, from the UI or the API."""

import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import Flow
from prefect.runner.storage import LocalStorage
from prefect.schedules import Cron, Schedule
from prefect.types.entrypoint import EntrypointType

from core.projects import load, names
from core.settings import CHECKOUT, Settings
from core.spec import Spec
from flows.automations import automate
from flows.backfill import backfill
from flows.housekeeping import housekeeping
from flows.ingest import ingest
from flows.lifecycle import lifecycle
from flows.monitor import monitor
from flows.progressive_release import progressive_release
from flows.release_quarantine import release_quarantine
from flows.replay import replay
from flows.retrain import retrain
from flows.score import score
from flows.train import train
from flows.tune import tune
from tasks.notifying import Apprise

POOL = "perennial"
PAGE = 200
OURS = "perennial"
"""The tag of all that is registered here."""

# Every flow that is deployed, and the schedule of the spec by which it starts; None for no schedule.
FLOWS: Mapping[Flow[..., Any], str | None] = {
    ingest: "ingest",
    score: "score",
    monitor: "monitor",
    progressive_release: "release",
    housekeeping: "housekeeping",
    retrain: None,
    backfill: None,
    release_quarantine: None,
    tune: None,
    train: None,
    lifecycle: None,
    replay: None,
}
# A worker starts the run itself. By default it starts a process that prepares a folder for the code and
# then starts the run, which takes seconds; our code lies where it is.
_JOB = {"command": shlex.join([sys.executable, "-m", "prefect.engine"]), "working_dir": str(CHECKOUT)}
# Those of which a second run has nothing to add to the one that is at it; of the others it waits.
_ONCE = ("ingest", "progressive-release", "housekeeping")


def deployments(settings: Settings) -> list[RunnerDeployment]:
    """One deployment a flow and project, named `<flow>/<project>`; raises SpecError for a spec that fails."""
    specs = [load(name, settings).spec for name in names(settings)]
    return [_deployment(flow, spec, of) for spec in specs for flow, of in FLOWS.items()]


def register(settings: Settings) -> None:
    """Register the work pool, the deployments for its workers, the automations, and our type of block.

    Again changes nothing. Deployments of projects that are gone are removed.
    """
    Apprise.register_type_and_schema()
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    found = dict[tuple[str, str], UUID]()
    for each in deployments(settings):
        each.work_pool_name, each.storage = POOL, LocalStorage(str(CHECKOUT))
        each.job_variables = _JOB
        found[str(each.flow_name), each.name] = cast(UUID, each.apply())
    automate(found)
    _remove_all_but(set(found.values()))


def _deployment(flow: Flow[..., Any], spec: Spec, of: str | None) -> RunnerDeployment:
    once = flow.name in _ONCE
    strategy = ConcurrencyLimitStrategy.CANCEL_NEW if once else ConcurrencyLimitStrategy.ENQUEUE
    made = flow.to_deployment(
        name=spec.name,
        parameters={"project": spec.name},
        tags=[OURS, spec.name],
        description=f"{spec.title}\n\n{str(flow.description).partition('Args:')[0].strip()}",
        schedules=[_schedule(spec, of)] if of and getattr(spec.schedules, of) else [],
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=strategy),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return cast(RunnerDeployment, made)  # it is awaitable only inside an event loop


def _schedule(spec: Spec, of: str) -> Schedule:
    return Cron(getattr(spec.schedules, of), timezone=spec.batches.timezone, slug=of)


def _remove_all_but(wanted: set[UUID]) -> None:
    ours, there = DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS])), list[DeploymentResponse]()
    with get_client(sync_client=True) as client:
        while page := client.read_deployments(deployment_filter=ours, limit=PAGE, offset=len(there)):
            there += page
        for each in there:
            if each.id not in wanted:
                client.delete_deployment(each.id)
