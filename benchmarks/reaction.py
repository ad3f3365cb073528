"""How long is it from the decision to retrain to a retraining that runs? `make bench-reaction`.

What `make up` starts, with all its settings: the drift check's event is sent, and the time counts until
the run that it starts has claimed the request. The next is asked for when nothing is at work any more.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import yaml

from benchmarks.measures import Measure, report
from core.settings import CHECKOUT, Settings
from flows.backend import backend, free_port
from flows.machine.up import take_down
from flows.machine_commands import up

RUNS = 10
PATIENCE = 300
GOAL = 10.0
UNSCHEDULED = dict.fromkeys(("ingest", "score", "monitor", "housekeeping"))


def main() -> int:
    """Ask for some retrainings one after the other, and print how long each took to begin."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        settings = _project(Path(folder)).apply()
        try:
            up(settings, argparse.Namespace())
            found = list(_reactions(settings))
        finally:
            take_down(settings)
    median, longest = statistics.median(found), max(found)
    return report(
        "reaction",
        [
            Measure("decision to started retraining, median", median, "s", "under 10", median < GOAL),
            Measure("decision to started retraining, longest", longest, "s"),
        ],
    )


def _project(folder: Path) -> Settings:
    """A home with the flights, of the family that is fitted soonest; nothing starts by the clock."""
    shutil.copytree(CHECKOUT / "projects" / "flights", folder / "projects" / "flights")
    path = folder / "projects" / "flights" / "project.yaml"
    document = yaml.safe_load(path.read_text())
    document |= {"training": {"families": ["linear"]}, "schedules": UNSCHEDULED}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    ports = {name: free_port() for name in ("prefect_port", "dask_port", "dashboard_port")}
    chosen = {"home": folder / "state", "projects": folder / "projects", **ports}
    os.environ |= {f"PERENNIAL_{name.upper()}": str(value) for name, value in chosen.items()}
    return Settings()


def _reactions(settings: Settings) -> Iterator[float]:
    """Seconds from each event until its request is claimed."""
    with backend(settings):
        from flows.automations import is_automated
        from flows.ingest import ingest
        from flows.signals import request_retraining
        from stages.champion.retraining import ask_by_hand, requests_of
        from stages.workspace import open_workspace

        workspace = open_workspace("flights", settings)
        requests, over = requests_of(workspace), workspace.batch("2013-02").end
        ingest("flights", over)
        _wait(lambda: is_automated("flights"))
        for turn in range(RUNS):
            request = ask_by_hand(workspace, over + timedelta(days=2 + turn), "retrain stateless")
            started = time.monotonic()
            request_retraining(request)
            _wait(lambda: requests.all()[-1].attempts)
            seconds = time.monotonic() - started
            print(f"retraining {request.id}: begun after {seconds:.1f} s", flush=True)
            yield seconds
            _wait(lambda: requests.unsettled() is None and not _at_work())


def _at_work() -> list[object]:
    """The runs that are not over."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType

    open_ones = [each.value for each in StateType if each not in TERMINAL_STATES]
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": open_ones}}})
        )


def _wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s: is the worker at work?")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
