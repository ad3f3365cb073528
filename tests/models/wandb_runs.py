"""Runs on the disk, read as W&B itself reads them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from wandb.util import get_core_path

ROOT = Path(__file__).parents[2]
KEY = "0123456789" * 4


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These are all variables of W&B's that are set, and none is afterwards."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    with mock.patch.dict(os.environ, ours | variables, clear=True):
        yield


def reader(folder: str | Path, *arguments: str) -> list[str]:
    """The command of `wandb leet inspect --json`, without the second that the Python around it takes."""
    [run] = map(str, Path(folder).glob("*.wandb"))
    options = ["--no-observability", "--json", *arguments, "--run-file", run]
    return [get_core_path(), "leet", "inspect", *options, str(Path(folder).parent)]


def records(folder: str | Path) -> list[dict[str, Any]]:
    """All that was recorded."""
    output = subprocess.run(reader(folder), capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def summary(folder: str | Path) -> dict[str, Any]:
    """The run's state, newest values and config."""
    command = reader(folder, "--summary")
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def folders(home: Path) -> list[str]:
    """The runs below a home."""
    return sorted(str(path) for path in (home / "wandb").glob("*run-*"))


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own that runs a script."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
