"""A month of labelled rows of which the truth is known, and honest models to put before the gate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from core.spec import Spec
from models.gate.judge import Contender, GateReport, Served, judge
from models.problem import as_answers, problem_of
from models.rows import Rows

Floats = NDArray[np.float64]
MARCH = datetime(2013, 3, 1, tzinfo=UTC)
AIRLINES = ("UA", "B6", "HA")
CLASSES = ("early", "late", "lost")
LIST = 10
KINDS = ("binary", "multiclass", "regression", "quantiles", "ranking")
DAILY = {"binary": 120, "multiclass": 120, "regression": 120, "quantiles": 120, "ranking": 800}
LEVELS = (0.1, 0.5, 0.9)
LUCK = 0.3


def spec_of(kind: str) -> Spec:
    """A spec with the default gate and slices by airline."""
    row = {"from": "row", "column": "wind", "kind": "number"}
    events = {
        "source": {"kind": "files", "path": "x.csv"},
        "columns": {"wind": "float"},
        "key": ["flight"],
    }
    outcome: dict[str, Any] = {"label": "late", "known_at": "arrival", "maturity": "1d"}
    outcome |= {"classes": CLASSES} if kind == "multiclass" else {}
    outcome |= {"group": ["list"]} if kind == "ranking" else {}
    asked = {"metric": "pinball", "quantiles": LEVELS} if kind == "quantiles" else {}
    return Spec.model_validate(
        {
            "name": "flights",
            "title": "Late flights",
            "objective": {"business": "", "learning": "", **asked},
            "problem": "regression" if kind == "quantiles" else kind,
            "batches": {"every": "1mo", "start": "2013-01-01", "end": "2014-01-01"},
            "datasets": {"flights": events},
            "events": "flights",
            "decision": {"before": "departure", "lead": "2h"},
            "outcome": outcome,
            "features": {"wind": row, "airline": {"from": "row", "column": "airline", "kind": "category"}},
            "gate": {"slices": ["airline"], "max_calibration_error": 0.05},
        }
    )


@dataclass(frozen=True)
class World:
    """Rows of `days` days, and the true margins of each [n, K], which also depend on the day's luck."""

    kind: str
    rows: Rows
    odds: Floats

    @classmethod
    def make(cls, kind: str = "binary", seed: int = 1, days: int = 30, daily: int | None = None) -> "World":
        daily = daily or DAILY[kind]
        random, count = np.random.default_rng(seed), days * daily
        day, groups = np.repeat(np.arange(days), daily), np.arange(count) // LIST
        wind, airline = random.normal(0, 1, count), random.choice(3, count, p=[0.5, 0.4, 0.1])
        if kind == "ranking":
            airline = airline[groups * LIST]
        odds = (1.2 * wind + np.array([-0.5, 0.0, 0.8])[airline] - 1)[:, None]
        if kind == "multiclass":
            odds = np.column_stack([odds[:, 0], -odds[:, 0], random.normal(0, 1, count)])
        luck = random.normal(0, LUCK, days)[day]
        labels = _labels(kind, odds + luck[:, None], random)
        times = pl.Series([MARCH + timedelta(days=1) * number / daily for number in range(count)])
        frame = pl.DataFrame({"wind": wind, "airline": np.array(AIRLINES)[airline], "event_time": times})
        frame = frame.with_columns(pl.col("wind").cast(pl.Float32), flight=pl.int_range(count))
        return cls(kind, Rows(frame, labels, times, groups if kind == "ranking" else None), odds)

    @property
    def labels(self) -> Floats:
        return self.rows.labels

    @property
    def day(self) -> NDArray[np.int64]:
        return np.asarray((self.rows.times.dt.epoch("d") - 15765).to_numpy(), np.int64)

    def model(self, name: str, noise: float, seed: int, complexity: int = 2) -> Contender:
        """One that knows the margins up to noise, shrunk so that it stays calibrated."""
        blurred = self.odds + np.random.default_rng(seed).normal(0, noise, self.odds.shape)
        kept = 1.5 / (1.5 + noise**2)
        shrunk = (blurred + 1) * kept - 1
        if self.kind == "quantiles":  # of what the model does not know of a label
            shrunk = shrunk + np.sqrt(1 + LUCK**2 + 1.5 * (1 - kept)) * norm.ppf(LEVELS)
        return Contender(name, as_answers(problem_of(spec_of(self.kind)).link, shrunk), complexity, MARCH)


def _labels(kind: str, odds: Floats, random: np.random.Generator) -> Floats:
    if kind == "binary":
        return (random.random(len(odds)) < as_answers("sigmoid", odds)).astype(np.float64)
    if kind == "multiclass":
        return (odds + random.gumbel(size=odds.shape)).argmax(axis=1).astype(np.float64)
    if kind in ("regression", "quantiles"):
        return odds[:, 0] + random.normal(0, 1, len(odds))
    return np.clip(np.floor(odds[:, 0] + random.normal(1, 0.7, len(odds))), 0, 4)


@pytest.fixture(scope="session")
def spec() -> Spec:
    return spec_of("binary")


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
        files: tuple[Served, ...] | None = None,
        spec: Spec = spec,
        earlier: Rows | None = None,
    ) -> GateReport:
        pair = [
            replace(each, files=each.files or (served,)) if each else None for each in (challenger, champion)
        ]
        ours = replace(challenger, files=files if files is not None else challenger.files or (served,))
        base = problem_of(spec).constant(rows)
        return judge(spec, rows, ours, pair[1], base=base, earlier=earlier)

    return run


@dataclass(frozen=True)
class Stage:
    """A problem with its world, a mediocre champion and a truly better challenger."""

    spec: Spec
    world: World
    champion: Contender
    challenger: Contender
    judged: Callable[..., GateReport]


@pytest.fixture(scope="session", params=KINDS)
def stage(request: Any, gate: Callable[..., GateReport]) -> Stage:
    """Each kind of problem in turn."""
    spec, world = spec_of(request.param), World.make(request.param)
    champion = world.model("flights/1", noise=1.0, seed=11)
    challenger = world.model("flights/2", noise=0.2, seed=12)

    def judged(ours: Contender, theirs: Contender | None = champion, **other: Any) -> GateReport:
        return gate(ours, theirs, **{"rows": world.rows, "spec": spec, **other})

    return Stage(spec, world, champion, challenger, judged)
