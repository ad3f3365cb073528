"""The housekeeping flow on a real server: after it the other flows of a project end as they did before."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from uuid import UUID

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.settings import Settings
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import make_orders

pytestmark = pytest.mark.slow

Run = Callable[..., CompletedProcess[str]]
Inhabit = Callable[[Settings], AbstractContextManager[None]]
TABLES = ("raw/orders", "quarantine/orders", "features", "outcomes", "predictions", "metrics")
RETENTION = {"raw": "45d", "quarantine": "45d", "features": "62d", "predictions": "45d", "flow_runs": "7d"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Orders of five months, whose rows are kept for a month and a half."""
    training = {"window": "60d"}
    root = tmp_path_factory.mktemp("orders")
    return make_orders(root, retention=RETENTION, training=training).settings


def command(run: Run, settings: Settings, *arguments: str) -> CompletedProcess[str]:
    return run(settings, *arguments, "--project", "orders", suites=settings.suites)


def tables(workspace: Workspace) -> dict[str, pl.DataFrame]:
    found = {table: workspace.lake.scan(table).collect() for table in TABLES}
    return {
        table: frame.sort([name for name in frame.columns if not frame[name].dtype.is_nested()])
        for table, frame in found.items()
    }


def test_a_life_that_is_kept_in_order_goes_on_as_it_was(run: Run, settings: Settings) -> None:
    """The lifecycle, housekeeping, and both again: nothing is ingested, built, scored or judged again."""
    assert command(run, settings, "demo").returncode == 0
    workspace = open_workspace("orders", settings)
    steps = ("ingest/orders", "features", "score", "monitor")
    told = {step: workspace.ledger.results(step) for step in steps}
    versions = [each.id for each in workspace.registry.versions("orders")]
    done = command(run, settings, "housekeeping")
    assert done.returncode == 0, done.stderr
    assert "raw/orders" in done.stdout and "deleted" in done.stdout
    kept = tables(workspace)
    assert kept["raw/orders"]["batch"].unique().sort().to_list() == ["2013-04", "2013-05"]
    assert command(run, settings, "demo").returncode == 0
    assert command(run, settings, "backfill").returncode == 0
    assert {step: workspace.ledger.results(step) for step in steps} == told
    assert [each.id for each in workspace.registry.versions("orders")] == versions
    for table, frame in tables(workspace).items():
        assert_frame_equal(frame, kept[table], check_exact=True)
    for version in versions:
        again = command(run, settings, "reproduce", "--version", version)
        assert again.returncode == 0, again.stdout + again.stderr
    assert "stale" not in command(run, settings, "status").stdout
    page = settings.home / "reports" / "orders" / "datasets" / "orders" / "index.html"
    assert "the lake holds 0" not in page.read_text()


def test_a_fault_is_told_when_the_rest_is_done(run: Run, settings: Settings) -> None:
    log = Path(open_workspace("orders", settings).lake.path("profiles")) / "_delta_log"
    kept = {path: path.read_bytes() for path in log.iterdir() if path.is_file()}
    try:
        for path in kept:
            path.write_text("{broken")
        done = command(run, settings, "housekeeping")
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert done.returncode == 1
    assert "error: housekeeping of orders: 2 parts failed, the others are done" in done.stderr
    assert "vacuum of profiles: " in done.stderr and "Traceback" not in done.stderr
    assert command(run, settings, "housekeeping").returncode == 0


def test_old_runs_of_the_project_are_deleted_with_what_they_ran_and_others_stay(
    inhabit: Inhabit, settings: Settings
) -> None:
    from prefect import flow, task
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    from stages.housekeeping.housekept import Instants
    from tasks.housekeeping import prune_runs

    ran: dict[str, UUID] = {}

    @task
    def part() -> None:
        from prefect.runtime import flow_run, task_run

        ran[f"task of {flow_run.parameters['project']}"] = UUID(str(task_run.id))

    @flow
    def life(project: str, fails: bool = False) -> None:
        from prefect.runtime import flow_run

        ran[project + (" failed" if fails else "")] = UUID(str(flow_run.id))
        part()
        if fails:
            raise ValueError("as asked")

    with inhabit(settings):
        life("orders")
        life("trips")
        with pytest.raises(ValueError, match="as asked"):
            life("orders", fails=True)
        now = datetime.now(UTC)
        young = prune_runs.fn("orders", Instants(now, now))
        assert young.faults == [] and young.lines == []
        later = Instants(now, now + timedelta(days=8))
        assert [line.subject for line in prune_runs.fn("orders", later).lines] == ["Prefect"]
        assert prune_runs.fn("orders", later).lines == []
        with get_client(sync_client=True) as client:
            assert client.read_flow_run(ran["trips"]).id == ran["trips"]
            for name in ("orders", "orders failed"):
                with pytest.raises(ObjectNotFound):
                    client.read_flow_run(ran[name])
            with pytest.raises(ObjectNotFound):
                client.read_task_run(ran["task of orders"])
