"""A log of the test's own, rows for it, and other processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.lake import Lake
from core.settings import CHECKOUT
from serving.log.collect import Collected, collect
from serving.log.tables import PREDICTIONS, Prediction, schemas, served

NOON = datetime(2013, 12, 31, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Log:
    """The folder of the journals, the lake that they are collected into, and the schemas of the tables."""

    folder: Path
    lake: Lake
    schemas: Mapping[str, pl.Schema]

    def collect(self) -> Collected:
        return collect(self.folder, self.lake, self.schemas)

    def numbers(self, table: str = PREDICTIONS) -> list[int]:
        """The numbers of the rows in the lake, in order; of one that is there twice it is here twice."""
        rows = served(self.lake, table, self.schemas[table])
        return rows.select(pl.col("request_id").cast(pl.Int64).sort()).collect()["request_id"].to_list()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(
        tmp_path / "journal", Lake(str(tmp_path / "lake"), "flights"), schemas(pl.Boolean(), wide=False)
    )


@pytest.fixture
def row() -> Callable[..., Prediction]:
    """A row that is told from others by its number, as many minutes after noon."""

    def make(number: int, **changes: Any) -> Prediction:
        at = NOON + timedelta(minutes=number % 600)
        values: Any = {"hour": 9}
        made = Prediction(
            *(str(number), "7", "champion", 1, at, at, "EWR", None), values, values, 0.25, 1e-3, False, None
        )
        return made._replace(**changes)

    return make


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python process with this code and these arguments; what it is told and says goes by pipes."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=CHECKOUT, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
