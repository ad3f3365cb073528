"""A project that runs by itself: by events, automations and a worker, or by direct calls, to the same end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.settings import CHECKOUT, Settings
from monitoring.retraining.requests import Request
from stages.champion.retraining import requests_of
from stages.due import due
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

TABLES = ("features", "outcomes", "predictions", "metrics", "profiles")
Inhabit = Callable[..., AbstractContextManager[None]]
PATIENCE = 300  # seconds, of a machine that is busy otherwise


# Three months, two to start with, the quickest family, and a monitor that wants a retraining after a batch.
CHANGES: dict[str, dict[str, Any]] = {
    "batches": {"end": "2013-04-01"},
    "training": {"first_batches": 2, "families": ["linear"]},
    "gate": {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5},
    "monitoring": {"min_rows": 100, "every": 1},
    "constraints": {"max_latency_ms": 1000},  # how busy the machine is must not decide
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory, inhabit: Inhabit) -> list[Settings]:
    from tests.stages.orders import lay_orders, orders  # which is not there where this file is a script

    rows = orders().filter(pl.col("at") < "2013-04")
    return [lay_orders(tmp_path_factory.mktemp("orders"), rows=rows, **CHANGES) for _ in range(3)]


def started(*command: str, **more: str) -> subprocess.Popen[bytes]:
    """A Python process that lives as this one does, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=CHECKOUT,
        env=os.environ | {"PREFECT_API_URL": _api()} | more,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def worker() -> Iterator[None]:
    """A Prefect worker that asks for work often."""
    command = "worker", "start", "--pool", "perennial", "--type", "process", "--limit", "4"
    often = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1"}
    process = started("-m", "prefect", *command, **often)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _api() -> str:
    from prefect.settings import get_current_settings

    return str(get_current_settings().api.url)


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.2)
    return found


def is_done(workspace: Workspace) -> bool:
    """Whether all that is due was done, and something was."""
    requests = requests_of(workspace)
    done = requests.all() and requests.unsettled() is None
    return bool(done) and next(due(workspace, datetime.now(UTC)), None) is None


def live_directly(settings: Settings) -> None:
    """What schedules do: each flow in its turn, in this process, until nothing is left to do."""
    from flows.ingest import ingest
    from flows.monitor import monitor
    from flows.score import score

    ingest("orders")
    while not is_done(open_workspace("orders", settings)):
        score("orders")
        monitor("orders")


def same(one: Settings, other: Settings) -> None:
    first, second = open_workspace("orders", one), open_workspace("orders", other)
    for table in TABLES:
        wanted, found = first.lake.scan(table).collect(), second.lake.scan(table).collect()
        order = sorted(wanted.columns)
        by = [name for name in order if not wanted.schema[name].is_nested()]
        assert_frame_equal(wanted.select(order).sort(by), found.select(order).sort(by), check_exact=True)
    assert story(first) == story(second)


def story(workspace: Workspace) -> object:
    """The versions, the line of transitions, and what was asked for: who, when, what came of it."""
    registry, name = workspace.registry, workspace.project.name
    requests = [
        (each.action, each.as_of, each.stands_at, each.state, each.outcome, each.version)
        for each in requests_of(workspace).all()
    ]
    return (
        [(version.id, version.stage, version.metrics["holdout"]) for version in registry.versions(name)],
        [(change.version, change.after, change.at) for change in registry.transitions(name)],
        requests,
    )


@pytest.fixture(scope="module")
def directly(projects: list[Settings], inhabit: Inhabit) -> Settings:
    """Three months that were lived through by direct calls."""
    with inhabit(projects[0]):
        live_directly(projects[0])
    return projects[0]


@pytest.fixture(scope="module")
def by_events(projects: list[Settings], inhabit: Inhabit) -> Iterator[Settings]:
    """Three months that were lived through by events and a worker, from one run of the first flow on."""
    from prefect.deployments import run_deployment

    from flows.automations import automate
    from flows.deployments import register

    by_events = projects[1]
    with inhabit(by_events):
        register(by_events)
        with worker():
            run_deployment("ingest/orders", timeout=0)
            wait_for(lambda: is_done(open_workspace("orders", by_events)))
        automate({})
    yield by_events


def test_events_and_direct_calls_end_in_the_same_tables(by_events: Settings, directly: Settings) -> None:
    same(directly, by_events)
    requests = requests_of(open_workspace("orders", by_events)).all()
    assert [each.batch for each in requests] == ["2013-02", "2013-03"]
    assert all(each.attempts == 1 and each.outcome for each in requests)


def test_drift_check_and_retraining_are_linked_both_ways(by_events: Settings) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    request: Request = requests_of(open_workspace("orders", by_events)).all()[-1]
    (answer,), check = request.runs, request.asks[0].run
    with get_client(sync_client=True) as client:
        runs = {run: client.read_flow_run(run) for run in (check, answer)}  # type: ignore[arg-type]
        told = {
            run: "".join(
                str(each.data)
                for each in client.read_artifacts(
                    artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))  # type: ignore[list-item]
                )
            )
            for run in runs
        }
    assert runs[answer].parameters["request"] == request.id
    assert runs[answer].parameters["evidence"]["opened_by"] == check
    assert runs[answer].parameters["evidence"]["asks"][0]["reasons"] == list(request.asks[0].reasons)
    assert f"runs/flow-run/{answer}" in told[check] and f"runs/flow-run/{check}" in told[answer]
    assert all(f"request-{request.id}" in run.tags for run in runs.values())


def running(settings: Settings) -> Request | None:
    """The request that is being answered."""
    found = requests_of(open_workspace("orders", settings)).unsettled()
    return found if found and found.state == "running" else None


def test_a_retraining_that_was_cancelled_or_killed_is_made_once(
    directly: Settings, projects: list[Settings], inhabit: Inhabit
) -> None:
    """Cancelled as by a worker, then killed with kill -9, then looked for by two processes at once."""
    from prefect.client.orchestration import get_client
    from prefect.deployments import run_deployment

    from flows.automations import automate
    from flows.deployments import register
    from flows.ingest import ingest

    settings = projects[2]
    with inhabit(settings):
        register(settings)
        automate({})
        ingest("orders")
        run = run_deployment("monitor/orders", timeout=0)
        process = started("-m", "prefect.engine", PREFECT__FLOW_RUN_ID=str(run.id))  # type: ignore[union-attr]
        wait_for(lambda: running(settings))
        process.terminate()
        process.wait(60)
        request = requests_of(open_workspace("orders", settings)).unsettled()
        assert request and (request.state, request.attempts) == ("open", 0)
        with get_client(sync_client=True) as client:
            client.delete_flow_run(run.id)  # type: ignore[union-attr]

        process = started(__file__)  # which lives directly, as a process of its own
        wait_for(lambda: running(settings))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        again = [started(__file__), started(__file__)]
        assert [each.wait(PATIENCE) for each in again] == [0, 0]
    same(directly, settings)
    requests = requests_of(open_workspace("orders", settings)).all()
    assert [each.attempts for each in requests] == [2, 1]


if __name__ == "__main__":
    live_directly(Settings())
