"""A small project of trips in an inbox of files: its spec, its suites, and a way to deliver."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from core.batches import Batch
from core.settings import Settings
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest
from stages.workspace import Workspace, open_workspace

SPEC = """
name: trips
title: Trips
objective: {business: know, learning: predict}
problem: binary
batches: {every: 1d, timezone: UTC, start: 2013-03-01, end: 2013-03-04}
events: trips
datasets:
  trips:
    source: {kind: files, path: "inbox/*.csv"}
    columns: {id: integer, at: datetime, city: string, paid: float, late: boolean, seen: datetime}
    key: [id]
    event_time: at
    known_at: seen
  weather:
    source: {kind: files, path: "weather/*.jsonl"}
    columns: {city: string, at: datetime, rain: float, known: datetime}
    key: [city, at]
    event_time: at
    known_at: known
  cities:
    source: {kind: files, path: cities.csv}
    columns: {city: string, founded: integer}
    key: [city]
quarantine: {max_share: 0.5}
decision: {before: at, lead: 1h}
outcome: {label: late, known_at: seen, maturity: 1d}
features:
  city: {from: row, column: city, kind: category}
  hour: {from: time, column: at, part: hour, timezone: UTC}
  founded: {from: lookup, dataset: cities, column: founded, kind: number, by: {city: city}}
  rain: {from: lookup, dataset: weather, column: rain, kind: number, by: {city: city}, within: 6h}
  late_1d: {from: trailing, by: [city], value: late, statistic: mean, over: 1d}
"""
SUITES = {
    "trips": """
name: trips
version: 1
meta: {allow_empty: true}
expectations:
  - {type: expect_column_values_to_not_be_null, severity: warning, kwargs: {column: id}}
  - {type: expect_column_values_to_be_unique, severity: warning, kwargs: {column: id}}
  - type: expect_column_values_to_be_between
    severity: warning
    kwargs: {column: paid, min_value: 0, max_value: 100}
  - type: expect_column_values_to_be_in_set
    severity: warning
    kwargs: {column: city, value_set: {$PARAMETER: cities.city}}
""",
    "weather": """
name: weather
version: 1
meta: {allow_empty: true}
expectations:
  - {type: expect_column_values_to_be_between, severity: warning, kwargs: {column: rain, min_value: 0}}
""",
    "cities": """
name: cities
version: 1
expectations:
  - {type: expect_column_values_to_be_unique, severity: critical, kwargs: {column: city}}
""",
}
CITIES = ("Århus", "Bergen", "Cádiz")
AS_OF = datetime(2013, 3, 10, tzinfo=UTC)


class Depot:
    """The project's folder and home, to deliver to and to ingest from; it may begin as a copy of another."""

    def __init__(self, root: Path, like: Path | None = None) -> None:
        self.folder = root / "projects" / "trips"
        self.settings = Settings(
            home=root / "state", projects=root / "projects", suites=root / "expectations"
        )
        if like is not None:
            shutil.copytree(like, root, dirs_exist_ok=True)
            return
        for folder in (self.folder / "inbox", self.folder / "weather", self.settings.suites / "trips"):
            folder.mkdir(parents=True)
        self.spec(lambda document: None)
        for name in SUITES:
            self.suite(name)
        pl.DataFrame({"city": CITIES, "founded": [948, 1070, -1100]}).write_csv(self.folder / "cities.csv")
        (self.folder / "weather" / "all.jsonl").write_text(_weather())

    def spec(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Write the spec anew, edited."""
        document = yaml.safe_load(SPEC)
        edit(document)
        (self.folder / "project.yaml").write_text(
            yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        )

    def suite(self, dataset: str, replaced: Mapping[str, str] | None = None) -> None:
        """Write a suite anew, with some of its text replaced."""
        text = SUITES[dataset]
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        (self.settings.suites / "trips" / f"{dataset}.yaml").write_text(text)

    def deliver(self, name: str, rows: pl.DataFrame) -> Path:
        """Put a file of trips into the inbox."""
        path = self.folder / "inbox" / name
        rows.write_csv(path)
        return path

    def open(self) -> Workspace:
        """The project, opened anew."""
        return open_workspace("trips", self.settings)

    def take_in(self, workspace: Workspace | None = None, as_of: datetime = AS_OF) -> dict[str, Ingested]:
        """Ingest all that is there; the results of the trips, by batch."""
        workspace = workspace or self.open()
        datasets = (*workspace.whole, *workspace.cut)
        return [take_in(workspace, dataset, as_of) for dataset in datasets][-1]


def take_in(workspace: Workspace, dataset: str, as_of: datetime = AS_OF) -> dict[str, Ingested]:
    """Ingest what there is of a dataset; the results by batch."""
    batches: list[Batch] = workspace.batches(as_of) if dataset in workspace.cut else []
    for item in pending(workspace, dataset, batches):
        deliver(workspace, dataset, item, as_of)
    return {str(batch): ingest(workspace, dataset, batch, as_of) for batch in batches or [None]}


def trips(start: int, count: int, day: int = 1, **changed: Any) -> pl.DataFrame:
    """Good trips with ids from `start` on, an hour apart, on a day of March."""
    ids = range(start, start + count)
    at = [f"2013-03-{day:02}T{place % 24:02}:00:00Z" for place in range(count)]
    frame = pl.DataFrame(
        {
            "id": [str(each) for each in ids],
            "at": at,
            "city": [CITIES[each % 3] for each in ids],
            "paid": [str(each % 90) for each in ids],
            "late": ["true" if each % 4 == 0 else "false" for each in ids],
            "seen": [time.replace(":00:00Z", ":45:00Z") for time in at],
        }
    )
    return frame.with_columns(pl.lit(value).alias(name) for name, value in changed.items())


def _weather() -> str:
    lines = [
        f'{{"city": "{city}", "at": "2013-03-{day:02}T{hour:02}:00:00Z", "rain": {hour}.5,'
        f' "known": "2013-03-{day:02}T{hour:02}:30:00Z"}}'
        for city in CITIES
        for day in range(1, 4)
        for hour in range(0, 24, 6)
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a project that has ingested all that does not change in most tests: all but the trips."""
    root = tmp_path_factory.mktemp("calm")
    workspace = Depot(root).open()
    for dataset in ("cities", "weather"):
        take_in(workspace, dataset)
    return root


@pytest.fixture
def make_depot(calm: Path) -> Callable[[Path], Depot]:
    """Makes such a project in a folder, with nothing in its inbox yet."""
    return lambda root: Depot(root, calm)


@pytest.fixture
def depot(make_depot: Callable[[Path], Depot], tmp_path: Path) -> Depot:
    """The project, with nothing in its inbox yet."""
    return make_depot(tmp_path)


@pytest.fixture
def make_trips() -> Callable[..., pl.DataFrame]:
    """Makes good trips (see `trips`)."""
    return trips
