"""A small project of orders, of each kind of problem: its spec, and rows of which the truth is known."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from core.settings import Settings
from models.family import family
from models.waves import waves
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise
from stages.models.train import Candidate, register, train
from stages.workspace import Workspace, open_workspace

SPEC = """
name: orders
title: Orders
objective: {business: know, learning: predict}
problem: binary
batches: {every: 1mo, timezone: UTC, start: 2013-01-01, end: 2013-06-01}
events: orders
datasets:
  orders:
    source: {kind: files, path: orders.csv}
    columns: {basket: integer, id: integer, at: datetime, city: string, rain: float, load: float,
              seen: datetime, late: boolean, mood: string, minutes: float, grade: integer}
    key: [basket, id]
    event_time: at
    known_at: seen
decision: {before: at, lead: 0h}
outcome: {label: late, known_at: seen, maturity: 1d}
features:
  city: {from: row, column: city, kind: category}
  rain: {from: row, column: rain, kind: number, meaning: rain at the door, unit: mm}
  load: {from: row, column: load, kind: number}
training: {families: [linear], first_batches: 2}
gate: {draws: 200}
monitoring: {min_rows: 100}
"""
SUITE = """
name: orders
version: 1
expectations:
  - {type: expect_column_values_to_not_be_null, severity: warning, kwargs: {column: id}}
"""
OUTCOMES: dict[str, dict[str, Any]] = {
    "binary": {"label": "late"},
    "multiclass": {"label": "mood", "classes": ["calm", "cross", "gone"]},
    "regression": {"label": "minutes"},
    "absolute": {"label": "minutes"},
    "quantiles": {"label": "minutes"},
    "ranking": {"label": "grade", "group": ["basket"]},
}
# The regressions that are not by squared errors.
ASKED: dict[str, dict[str, Any]] = {
    "absolute": {"metric": "mae"},
    "quantiles": {"metric": "pinball", "quantiles": [0.1, 0.5, 0.9]},
}
CITIES = ("Århus", "Bergen", "Cádiz", "Dôle")
AS_OF = datetime(2013, 6, 2, tzinfo=UTC)


def make_orders(
    root: Path,
    problem: str = "binary",
    rows: pl.DataFrame | None = None,
    as_of: datetime = AS_OF,
    **changes: Any,
) -> Workspace:
    """The project in a folder of its own, ingested and featurised; changes are to sections of the spec."""
    workspace = open_workspace("orders", lay_orders(root, problem, rows, **changes))
    taken_in(workspace, as_of)
    return workspace


def lay_orders(
    root: Path, problem: str = "binary", rows: pl.DataFrame | None = None, **changes: Any
) -> Settings:
    """The same of which nothing was ingested yet."""
    settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
    folder = settings.projects / "orders"
    folder.mkdir(parents=True)
    (settings.suites / "orders").mkdir(parents=True)
    (settings.suites / "orders" / "orders.yaml").write_text(SUITE)
    (orders() if rows is None else rows).write_csv(folder / "orders.csv")
    write_spec(settings, problem, **changes)
    return settings


def take_in(workspace: Workspace, rows: pl.DataFrame, as_of: datetime = AS_OF) -> None:
    """Deliver these orders, ingest and featurise all that is over."""
    rows.write_csv(workspace.project.folder / "orders.csv")
    taken_in(workspace, as_of)


def taken_in(workspace: Workspace, as_of: datetime = AS_OF) -> None:
    """Ingest and featurise what was delivered of all that is over."""
    batches = workspace.batches(as_of)
    for item in pending(workspace, "orders", batches):
        deliver(workspace, "orders", item, as_of)
    for batch in batches:
        ingest(workspace, "orders", batch, as_of)
        featurise(workspace, batch, as_of)


def write_spec(settings: Settings, problem: str, **changes: Any) -> None:
    """Write the spec anew."""
    document = yaml.safe_load(SPEC)
    document["batches"] |= {edge: str(document["batches"][edge]) for edge in ("start", "end")}
    document["problem"] = "regression" if problem in ASKED else problem
    document["objective"] |= ASKED.get(problem, {})
    document["outcome"] |= OUTCOMES[problem]
    for section, values in changes.items():
        document[section] = document.get(section, {}) | values
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (settings.projects / "orders" / "project.yaml").write_text(text)


def orders(monthly: int = 600, seed: int = 3, risen: float = 0.0) -> pl.DataFrame:
    """Five months of orders, in baskets of six at one time; lateness and all that goes with it hang on
    rain, load and city, by the same rule throughout, but for log-odds that have `risen` from April on.
    """
    random, count = np.random.default_rng(seed), 5 * monthly
    baskets = np.arange(count) // 6
    start, step = datetime(2013, 1, 1, tzinfo=UTC), 151 * 86_400 // (count // 6)
    city, rain, load = random.integers(0, 4, count), random.gamma(2, 2, count), random.normal(0, 1, count)
    drive = 0.5 * (rain - 4) + 1.2 * load + np.array([-1.0, -0.3, 0.4, 1.0])[city]
    later = np.where(baskets * step >= 90 * 86_400, risen, 0.0)
    noisy = drive + later + random.logistic(0, 1, count)
    minutes = 20 + 6 * (drive + later) + random.normal(0, 6, count)
    frame = pl.DataFrame(
        {
            "id": np.arange(count),
            "basket": baskets,
            "seconds": baskets * step,
            "city": np.array(CITIES)[city],
            "rain": rain.round(3),
            "load": np.where(random.random(count) < 0.1, np.nan, load).round(4),
            "late": np.where(noisy > 1, "true", "false"),
            "mood": np.array(OUTCOMES["multiclass"]["classes"])[np.digitize(noisy, [-1, 2])],
            "minutes": minutes.round(2),
            "grade": np.digitize(noisy, [0.5, 2, 4]),
        }
    )
    instant = pl.lit(start) + pl.duration(seconds="seconds")
    text = "%Y-%m-%dT%H:%M:%SZ"
    return frame.with_columns(
        pl.col("load").fill_nan(None),
        at=instant.dt.strftime(text),
        seen=(instant + pl.duration(minutes=45)).dt.strftime(text),
    ).select("id", "basket", "at", "city", "rain", "load", "seen", "late", "mood", "minutes", "grade")


def fits(workspace: Workspace, as_of: datetime) -> list[str]:
    """The ids of a version of each family of the spec, fitted on what is known."""
    rules = workspace.spec.training
    made: dict[str, Candidate] = {}
    for wave in waves(rules.families, rules.parameters):
        for name in wave:
            members = [made[each] for each in family(name).takes(rules.parameters.get(name, {}))]
            made[name] = train(workspace, name, as_of, members)
    return [version.id for version in register(workspace, [made[name] for name in rules.families])]
