"""How long is it from the decision to retrain to a retraining that runs? `make bench-reaction`.

A real server, the automation and a worker with their settings of production: the drift check's event is
sent, and the time counts until the run that it starts has claimed the request.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import yaml

from benchmarks.measures import Measure, report
from core.settings import CHECKOUT, Settings
from flows.backend import backend

RUNS = 5
PATIENCE = 300
GOAL = 10.0
WORKER = ("worker", "start", "--pool", "perennial", "--type", "process")


def main() -> int:
    """Ask for some retrainings one after the other, and print how long each took to begin."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        settings = _project(Path(folder))
        os.environ["PERENNIAL_PROJECTS"] = str(settings.projects)
        settings.home.mkdir()
        settings.apply()
        with backend(settings) as server:
            from flows.deployments import register
            from flows.ingest import ingest
            from stages.workspace import open_workspace
            from tasks.fanout import shared_cluster

            server.wait()
            with shared_cluster():
                register(settings)
                ingest("flights", open_workspace("flights", settings).batch("2013-02").end)
                with _worker():
                    found = list(_reactions(settings))
    median, longest = statistics.median(found), max(found)
    return report(
        "reaction",
        [
            Measure("decision to started retraining, median", median, "s", "under 10", median < GOAL),
            Measure("decision to started retraining, longest", longest, "s"),
        ],
    )


def _project(folder: Path) -> Settings:
    """The flights, and the family that is fitted soonest."""
    shutil.copytree(CHECKOUT / "projects" / "flights", folder / "projects" / "flights")
    path = folder / "projects" / "flights" / "project.yaml"
    document = yaml.safe_load(path.read_text())
    document["training"] = {"families": ["linear"]}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return Settings(home=folder / "state", projects=folder / "projects")


@contextmanager
def _worker() -> Iterator[None]:
    settings = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *WORKER], cwd=CHECKOUT, env=os.environ | settings
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _reactions(settings: Settings) -> Iterator[float]:
    """Seconds from each event until its request is claimed; the next is asked for when that is answered."""
    from flows.automations import is_automated
    from flows.signals import request_retraining
    from stages.retraining import ask_by_hand, requests_of
    from stages.workspace import open_workspace

    workspace = open_workspace("flights", settings)
    requests, over = requests_of(workspace), workspace.batch("2013-02").end
    _wait(lambda: is_automated("flights"))
    for turn in range(RUNS):
        request = ask_by_hand(workspace, over + timedelta(days=2 + turn), "retrain stateless")
        started = time.monotonic()
        request_retraining(request)
        _wait(lambda: requests.all()[-1].attempts)
        seconds = time.monotonic() - started
        print(f"retraining {request.id}: begun after {seconds:.1f} s", flush=True)
        yield seconds
        _wait(lambda: requests.unsettled() is None)


def _wait(until: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s: is the worker at work?")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
