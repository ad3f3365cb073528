"""Homes that are brought up by the command, on ports of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from core.settings import CHECKOUT, Settings
from flows.backend import free_port
from flows.machine import state
from flows.machine.processes import marked
from flows.machine.state import Up


@dataclass(frozen=True)
class Home:
    """A home and the environment in which its commands are called."""

    settings: Settings
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """That of a person who has chosen nothing but this home."""
        prefixes = ("PERENNIAL_", "PREFECT_", "DASK_", "STARTED_BY")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
        here = {
            "PERENNIAL_HOME": str(self.settings.home),
            "PERENNIAL_PROJECTS": str(self.settings.projects),
            "PERENNIAL_WORKERS": "1",
            "PERENNIAL_PREFECT_PORT": str(self.settings.prefect_port),
            "PERENNIAL_DASK_PORT": str(self.settings.dask_port),
            "PERENNIAL_DASHBOARD_PORT": str(self.settings.dashboard_port),
        }
        return {**plain, **here, **self.more}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of this home."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Call `python -m flows` with a command of this home, to its end."""
        process = self.start("-m", "flows", *command)
        told = process.communicate(timeout=300)
        return subprocess.CompletedProcess(command, process.returncode, *told)

    def up(self) -> Up:
        """What the state file says."""
        found = state.read(self.settings)
        assert found
        return found

    def processes(self) -> list[psutil.Process]:
        """Whatever has been started for it."""
        return marked(self.settings.home)


MakeHome = Callable[..., Home]
NEVER = dict.fromkeys(("ingest", "score", "monitor", "housekeeping"))
"""The schedules of a project in which nothing starts but what a test does, at whatever minute it runs."""


@pytest.fixture(scope="module")
def make_home(
    make_project: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeHome]:
    """Makes homes with a small project; whatever still runs of them in the end is taken down."""

    def edit(document: dict[str, object]) -> None:
        document["schedules"] = NEVER

    projects, made = make_project(range(1, 3), share=500, edit=edit).projects, list[Home]()

    def make(**more: str) -> Home:
        ports = {name: free_port() for name in ("prefect_port", "dask_port", "dashboard_port")}
        home: Path = tmp_path_factory.mktemp("up")
        made.append(Home(Settings(home=home, projects=projects, **ports), more))
        return made[-1]

    yield make
    for each in reversed(made):
        if each.processes():
            each.run("down")
            assert not each.processes()


@pytest.fixture(scope="module")
def home(make_home: MakeHome) -> Home:
    """A home of which everything is up, as `make up` without any choice leaves it."""
    home = make_home()
    done = home.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def guest(home: Home, make_home: MakeHome) -> Home:
    """A home that is not up, and uses the server and the cluster of another: quickly up, a worker alone."""
    return make_home(PREFECT_API_URL=home.up().api, PERENNIAL_DASK=home.up().dask)
