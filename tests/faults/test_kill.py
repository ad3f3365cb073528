"""A lifecycle that is killed, and started again, ends in the same tables as one that was not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.settings import CHECKOUT, Settings
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

TABLES = (
    "raw/flights",
    "quarantine/flights",
    "features",
    "outcomes",
    "predictions",
    "metrics",
    "profiles",
    "prediction_profiles",
)


def quick(document: dict[str, Any]) -> None:
    """Two batches of training, one family: the loop, as short as it gets."""
    document["training"] = {
        **document.get("training", {}),
        "first_batches": 2,
        "families": ["linear", "lightgbm"],
    }
    calm = {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5}
    document["gate"] = document.get("gate", {}) | calm


def start(settings: Settings, workers: int = 2) -> subprocess.Popen[str]:
    """The demo, in a session of its own, as `make demo` runs it."""
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "PERENNIAL_"))
        },
        "PERENNIAL_HOME": str(settings.home),
        "PERENNIAL_PROJECTS": str(settings.projects),
        "PERENNIAL_WORKERS": str(workers),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "demo", "--project", "flights"],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_at(
    settings: Settings, word: str, workers: int = 2, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Run the demo until a line of it has this word, then kill it and every process of its.

    What is to be done `meanwhile` finds it in the middle of its work, where it stands still for as long.
    """
    process = start(settings, workers)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            os.killpg(process.pid, signal.SIGSTOP)
            try:
                meanwhile()
            finally:
                os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL, "".join(seen)


def state(settings: Settings) -> tuple[Workspace, dict[str, pl.DataFrame]]:
    workspace = open_workspace("flights", settings)
    return workspace, {table: workspace.lake.scan(table).collect() for table in TABLES}


@dataclass(frozen=True)
class Lives:
    """A home in which nothing happened, another in which the demo was killed, and what was said there."""

    calm: Settings
    troubled: Settings
    told: str
    second: str


@pytest.fixture(scope="module")
def lives(
    make_project: Callable[..., Settings], inhabit: Callable[..., AbstractContextManager[None]]
) -> Lives:
    """Three months that were lived through in one go, and the same of demos that were killed at their work.

    While the first of them was at it, a second was called.
    """
    from flows.lifecycle import lifecycle

    calm, troubled = (make_project(range(1, 4), edit=quick) for _ in range(2))
    said = list[str]()

    def another() -> None:
        second = start(troubled)
        said.append(second.communicate(timeout=120)[0])
        said.append(f"exit code {second.returncode}")

    kill_at(troubled, "building features", meanwhile=another)
    kill_at(troubled, "2013-02: training")
    kill_at(troubled, "2013-03: joining", workers=1)
    told, _ = start(troubled, workers=1).communicate(timeout=400)
    with inhabit(calm):
        workspace = open_workspace("flights", calm)
        lifecycle("flights", workspace.batch("2013-03").end + workspace.spec.outcome.maturity)
    return Lives(calm, troubled, told, "\n".join(said))


def test_a_killed_run_ends_as_one_that_was_not(lives: Lives) -> None:
    assert "report" in lives.told, lives.told
    (one, wanted), (other, found) = state(lives.calm), state(lives.troubled)
    for table in TABLES:
        order = sorted(wanted[table].columns)
        by = [name for name in order if wanted[table].schema[name].is_nested() is False]
        assert_frame_equal(
            wanted[table].select(order).sort(by), found[table].select(order).sort(by), check_exact=True
        )
    assert _story(one) == _story(other)


def _story(workspace: Workspace) -> object:
    """The versions by family and stage, and the line of transitions: who, when, what."""
    registry, name = workspace.registry, workspace.project.name
    return (
        [(version.id, version.stage, version.metrics["holdout"]) for version in registry.versions(name)],
        [(change.version, change.after, change.at) for change in registry.transitions(name)],
    )


def test_two_at_once_do_not_meet(lives: Lives) -> None:
    """A second command on the same project says who is at work, and touches nothing (see the other test)."""
    assert "another command is at work on flights" in lives.second
    assert lives.second.endswith("exit code 1")
    assert "Traceback" not in lives.second
