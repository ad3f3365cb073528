"""A month of labelled rows of which the truth is known, and honest models to put before the gate."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from core.spec import Spec
from models.gate import Contender, GateReport, Served, judge
from models.rows import Rows

Floats = NDArray[np.float64]
MARCH = datetime(2013, 3, 1, tzinfo=UTC)
AIRLINES = ("UA", "B6", "HA")


@pytest.fixture(scope="session")
def spec() -> Spec:
    """A spec with the default gate and slices by airline."""
    row = {"from": "row", "column": "wind", "kind": "number"}
    events = {
        "source": {"kind": "files", "path": "x.csv"},
        "columns": {"wind": "float"},
        "key": ["flight"],
    }
    return Spec.model_validate(
        {
            "name": "flights",
            "title": "Late flights",
            "objective": {"business": "", "learning": ""},
            "problem": "binary",
            "batches": {"every": "1mo", "start": "2013-01-01", "end": "2014-01-01"},
            "datasets": {"flights": events},
            "events": "flights",
            "decision": {"before": "departure", "lead": "2h"},
            "outcome": {"label": "late", "known_at": "arrival", "maturity": "1d"},
            "features": {"wind": row, "airline": {"from": "row", "column": "airline", "kind": "category"}},
            "gate": {"slices": ["airline"], "max_calibration_error": 0.05},
        }
    )


@dataclass(frozen=True)
class World:
    """Rows of `days` days, and the true log-odds of each [n], which also depend on the day's luck."""

    rows: Rows
    odds: Floats

    @classmethod
    def make(cls, seed: int = 1, days: int = 30, daily: int = 120) -> "World":
        random, count = np.random.default_rng(seed), days * daily
        day = np.repeat(np.arange(days), daily)
        wind, airline = random.normal(0, 1, count), random.choice(3, count, p=[0.5, 0.4, 0.1])
        odds = 1.2 * wind + np.array([-0.5, 0.0, 0.8])[airline] - 1
        luck = random.normal(0, 0.3, days)[day]
        labels = (random.random(count) < sigmoid(odds + luck)).astype(np.float32)
        times = pl.Series([MARCH + timedelta(days=1) * number / daily for number in range(count)])
        frame = pl.DataFrame({"wind": wind, "airline": np.array(AIRLINES)[airline], "event_time": times})
        return cls(Rows(frame.with_columns(pl.col("wind").cast(pl.Float32)), labels, times), odds)

    @property
    def labels(self) -> Floats:
        return np.asarray(self.rows.labels, np.float64)

    @property
    def day(self) -> NDArray[np.int64]:
        return np.asarray((self.rows.times.dt.epoch("d") - 15765).to_numpy(), np.int64)

    def model(self, name: str, noise: float, seed: int, complexity: int = 2) -> Contender:
        """One that knows the odds up to noise, shrunk so that it stays calibrated."""
        blurred = self.odds + np.random.default_rng(seed).normal(0, noise, len(self.odds))
        shrunk = (blurred + 1) * 1.5 / (1.5 + noise**2) - 1
        return Contender(name, sigmoid(shrunk), complexity, MARCH)


def sigmoid(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


@pytest.fixture(scope="session")
def world() -> World:
    return World.make()


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    return World.make


@pytest.fixture(scope="session")
def champion(world: World) -> Contender:
    """A mediocre one."""
    return world.model("flights/1", noise=1.0, seed=11)


@pytest.fixture(scope="session")
def challenger(world: World) -> Contender:
    """A truly better one."""
    return world.model("flights/2", noise=0.2, seed=12)


@pytest.fixture(scope="session")
def served() -> Served:
    """A file with nothing wrong."""
    return Served("float32", parity=True, difference=2e-7, p99_us=40, bytes=500_000)


@pytest.fixture(scope="session")
def gate(spec: Spec, world: World, served: Served) -> Callable[..., GateReport]:
    """The gate over the world's rows: gate(challenger, champion, and what is to differ)."""

    def run(
        challenger: Contender,
        champion: Contender | None,
        rows: Rows = world.rows,
        files: tuple[Served, ...] = (served,),
        spec: Spec = spec,
    ) -> GateReport:
        return judge(spec, rows, challenger, champion, base_rate=0.3, files=files)

    return run
