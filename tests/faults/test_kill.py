"""A lifecycle that is killed, and started again, ends in the same tables as one that was not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
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


def start(settings: Settings) -> subprocess.Popen[str]:
    """The demo, in a session of its own, as `make demo` runs it."""
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "PERENNIAL_"))
        },
        "PERENNIAL_HOME": str(settings.home),
        "PERENNIAL_PROJECTS": str(settings.projects),
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


def kill_at(settings: Settings, word: str) -> None:
    """Run the demo until a line of it has this word, then kill it and every process of its."""
    process = start(settings)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL, "".join(seen)


def finish(settings: Settings) -> str:
    told, _ = start(settings).communicate(timeout=400)
    return told


def state(settings: Settings) -> tuple[Workspace, dict[str, pl.DataFrame]]:
    workspace = open_workspace("flights", settings)
    return workspace, {table: workspace.lake.scan(table).collect() for table in TABLES}


def test_a_killed_run_ends_as_one_that_was_not(make_project: Callable[..., Settings]) -> None:
    calm, troubled = (make_project(range(1, 4), edit=quick) for _ in range(2))
    finish(calm)
    for word in ("building features", "2013-02: training", "2013-03: joining"):
        kill_at(troubled, word)
    told = finish(troubled)
    assert "report" in told, told

    (one, wanted), (other, found) = state(calm), state(troubled)
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


def test_two_at_once_do_not_meet(make_project: Callable[..., Settings]) -> None:
    """A second command on the same project says who is at work, and touches nothing."""
    settings = make_project(range(1, 4), edit=quick)
    first = start(settings)
    assert first.stdout is not None
    assert any("reading and validating" in line for line in first.stdout)
    second = start(settings)
    told, _ = second.communicate(timeout=60)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert second.returncode == 1
    assert "another command is at work on flights" in told
    assert "Traceback" not in told
