"""The suites of the flights project: they let the real data through, and catch what is planted in it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations.suites import load_suite
from expectations.validate import validate
from expectations.verdict import Verdict

pytestmark = pytest.mark.slow

SUITES = Path(__file__).parents[2] / "expectations" / "flights"
Read = Callable[[str], pl.DataFrame]


@pytest.fixture(scope="module")
def february(nycflights: Read) -> pl.DataFrame:
    """The first three days of February, prepared as the project prepares them; row 7 bears D942DN."""
    clock = pl.col("sched_dep_time")
    departure = pl.datetime("year", "month", "day", clock // 100, clock % 100, time_zone="America/New_York")
    prepared = nycflights("flights").filter((pl.col("month") == 2) & (pl.col("day") <= 3))
    return (
        prepared.with_columns(
            time_hour=pl.col("time_hour").str.to_datetime(time_zone="UTC"),
            scheduled_departure=departure.dt.convert_time_zone("UTC"),
            late=pl.col("arr_delay") > 15,
        )
        .with_columns(
            arrived_at=pl.col("scheduled_departure")
            + pl.duration(minutes=pl.col("dep_delay") + pl.col("air_time"))
        )
        .with_row_index("row")
    )


@pytest.fixture(scope="module")
def judge(nycflights: Read, february: pl.DataFrame) -> Callable[[pl.DataFrame], Verdict]:
    """Judges flights of February by the suite."""
    suite = load_suite(SUITES / "flights.yaml")
    parameters = {
        "airlines.carrier": nycflights("airlines")["carrier"],
        "airports.faa": nycflights("airports")["faa"].to_list(),
        "batch.start": datetime(2013, 2, 1, 5, tzinfo=UTC),
        "batch.end": february["scheduled_departure"].dt.offset_by("1h").max(),
    }
    assert {*suite.parameters} == {*parameters}
    return lambda frame: validate(frame, suite, parameters)


def test_real_flights_pass(february: pl.DataFrame, judge: Callable[[pl.DataFrame], Verdict]) -> None:
    verdict = judge(february)
    assert not verdict.stopped
    assert verdict.rows.is_empty()
    assert [failure.column for failure in verdict.failures] == ["dest"]
    strangers = february.filter(pl.col("dest").is_in(["BQN", "PSE", "SJU", "STT"]))
    assert verdict.failures[0].count == strangers.height


DIRT: list[tuple[str, Any]] = [
    ("carrier", "ZZ"),
    ("carrier", None),
    ("flight", None),
    ("origin", "BOS"),
    ("dest", None),
    ("tailnum", "D942DN"),
    ("month", 13),
    ("day", 0),
    ("hour", 24),
    ("minute", 60),
    ("dep_time", 1275),
    ("dep_time", 2401),
    ("sched_dep_time", 975),
    ("sched_arr_time", 60),
    ("arr_time", -5),
    ("distance", -5),
    ("air_time", 5000),
    ("dep_delay", 9000),
    ("arr_delay", -900),
    ("scheduled_departure", None),
    ("scheduled_departure", datetime(2013, 3, 1, 5, tzinfo=UTC)),
    ("arrived_at", datetime(2013, 2, 1, 5, tzinfo=UTC)),
]


def test_planted_dirt_is_found_in_its_row(
    february: pl.DataFrame, judge: Callable[[pl.DataFrame], Verdict]
) -> None:
    rows = february.filter(pl.col("arrived_at").is_not_null())["row"][100 : 100 + len(DIRT)]
    planted = february
    for row, (column, value) in zip(rows, DIRT, strict=True):
        dirt = pl.when(pl.col("row") == row).then(pl.lit(value, february.schema[column]))
        planted = planted.with_columns(dirt.otherwise(pl.col(column)).alias(column))
    verdict = judge(planted)
    assert not verdict.stopped
    blamed = {
        (row, column)
        for row, columns in verdict.rows.select("row", "column").rows()
        for column in columns.split(", ")
    }
    assert {row for row, _ in blamed} == {*rows}
    assert blamed >= {(row, column) for row, (column, _) in zip(rows, DIRT, strict=True)}


def test_real_clock_times_are_no_dirt(
    february: pl.DataFrame, judge: Callable[[pl.DataFrame], Verdict]
) -> None:
    real = [hour * 100 + minute for hour in range(24) for minute in range(60)]
    clocks = pl.Series("dep_time", [*real[1:], 2400, None])
    frame = february.sample(len(clocks), seed=1).with_columns(clocks, arr_time=clocks.fill_null(2400))
    assert judge(frame).rows.is_empty()


def test_a_handful_of_rows_is_no_month(
    february: pl.DataFrame, judge: Callable[[pl.DataFrame], Verdict]
) -> None:
    verdict = judge(february.head(499))
    assert verdict.stopped
    assert verdict.critical[0].detail == "the batch: row count 499 is not between 500 and 50,000"


def test_two_flights_with_one_key_are_both_blamed(
    february: pl.DataFrame, judge: Callable[[pl.DataFrame], Verdict]
) -> None:
    twin = february.head(1).with_columns(
        row=pl.lit(february.height, pl.UInt32), distance=pl.lit(99, pl.Int64)
    )
    assert judge(pl.concat([february, twin])).rows["row"].to_list() == [0, february.height]


@pytest.mark.parametrize("name", ["planes", "airports", "airlines"])
def test_the_reference_tables_pass(nycflights: Read, name: str) -> None:
    verdict = validate(nycflights(name).with_row_index("row"), load_suite(SUITES / f"{name}.yaml"), {})
    assert verdict.failures == ()


def test_of_the_weather_only_the_impossible_wind_is_blamed(nycflights: Read) -> None:
    weather = (
        nycflights("weather")
        .filter(pl.col("month") == 2)
        .with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC"))
        .with_columns(known_at=pl.col("time_hour") + pl.duration(hours=1))
        .with_row_index("row")
    )
    verdict = validate(weather, load_suite(SUITES / "weather.yaml"), {})
    assert not verdict.stopped
    assert [
        (column, float(value) > 1000) for column, value in verdict.rows.select("column", "value").rows()
    ] == [("wind_speed", True)]
