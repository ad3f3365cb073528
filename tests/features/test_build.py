"""Feature rows: their shape, their dtypes, what they may know, and which declarations are refused."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.batches import Batch
from core.errors import SpecError
from core.spec import Spec
from features.build import build, horizon

pytestmark = pytest.mark.slow

INSTANT = pl.Datetime("us", "UTC")
START = datetime(2013, 5, 2, tzinfo=UTC)
MakeSpec = Callable[..., Spec]
MakeTrips = Callable[..., pl.DataFrame]

PLANE = {"from": "row", "column": "plane", "kind": "category"}
RATE = {"from": "trailing", "by": ["plane"], "value": "late", "statistic": "mean", "over": "12h"}
MEAN = {"from": "trailing", "by": ["plane"], "value": "delay", "statistic": "mean", "over": "7d"}
WIND = {
    "from": "lookup",
    "dataset": "weather",
    "column": "wind",
    "kind": "number",
    "by": {"plane": "at"},
    "within": "6h",
}
BUILT = {"from": "lookup", "dataset": "planes", "column": "built", "kind": "number", "by": {"plane": "plane"}}
PLANES = pl.LazyFrame({"plane": ["A", "B"], "built": [2000, 2010]})


def derived(function: str, **inputs: Any) -> dict[str, Any]:
    return {"from": "function", "function": function, "kind": "number", "inputs": inputs}


def returns(value: Any) -> Callable[[], Any]:
    return lambda: value


def age() -> pl.Expr:
    return pl.col("departs").dt.year() - pl.col("built")


def test_each_event_of_the_batch_has_one_row_in_the_order_of_the_events(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    events = trips(("A", 23.9, 1, 0), ("B", 0, 1, 0), ("A", -0.1, 1, 0), ("A", 24, 1, 0), (None, 5, 1, None))
    frame = build(spec(aircraft=PLANE, rate=RATE), day, events.lazy(), {}, {})
    assert frame["trip"].to_list() == [0, 1, 4]
    assert frame.schema == {
        "trip": pl.Int64,
        "event_time": INSTANT,
        "decision_time": INSTANT,
        "aircraft": pl.String,
        "rate": pl.Float32,
    }
    assert (frame["event_time"] - frame["decision_time"]).unique().to_list() == [timedelta(hours=2)]


def test_a_batch_without_events_has_no_rows_but_all_columns(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    declared = spec(aircraft=PLANE, rate=RATE, built=BUILT, age=derived("age"))
    full = build(declared, day, trips(("A", 5, 1, 0)).lazy(), {"planes": PLANES}, {"age": age})
    empty = build(declared, day, trips(("A", 50, 1, 0)).lazy(), {"planes": PLANES}, {"age": age})
    assert empty.is_empty()
    assert empty.schema == full.schema


def test_a_feature_that_is_a_column_of_the_key_stands_there_once(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    declared = spec(plane=PLANE, rate=RATE)
    keyed = declared.datasets["trips"].model_copy(update={"key": ("plane", "trip")})
    declared = declared.model_copy(update={"datasets": {**declared.datasets, "trips": keyed}})
    frame = build(declared, day, trips(("A", 5, 1, 0)).lazy(), {}, {})
    assert frame.columns == ["plane", "trip", "event_time", "decision_time", "rate"]


def test_local_time_follows_the_clocks_of_its_zone(spec: MakeSpec, trips: MakeTrips) -> None:
    # New York's clocks went from 01:59 to 03:00 on Sunday 10 March 2013, at 07:00 UTC.
    change = datetime(2013, 3, 10, 6, 30, tzinfo=UTC)
    events = trips(("A", 0, 1, 0), ("A", 0, 1, 0)).with_columns(
        departs=pl.Series([change, change + timedelta(hours=1)], dtype=INSTANT)
    )
    parts = {
        part: {"from": "time", "column": "departs", "part": part, "timezone": "America/New_York"}
        for part in ("hour", "minute_of_day", "weekday")
    }
    batch = Batch(change, change + timedelta(days=1), "2013-03-10")
    frame = build(spec(**parts), batch, events.lazy(), {}, {})
    assert frame.select(parts.keys()).rows() == [(1.0, 90.0, 7.0), (3.0, 210.0, 7.0)]


def test_what_is_no_finite_number_is_missing(spec: MakeSpec, trips: MakeTrips, day: Batch) -> None:
    events = trips(*[("A", hour, 1, 0) for hour in range(5)])
    events = events.with_columns(x=pl.Series([1.5, math.nan, -math.inf, 1e300, None]))
    frame = build(spec(n={"from": "row", "column": "x", "kind": "number"}), day, events.lazy(), {}, {})
    assert frame["n"].to_list() == [1.5, None, None, None, None]


def test_a_derived_feature_is_made_of_the_event_the_features_and_its_inputs(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    declared = spec(
        rate=RATE, age=derived("age", built=BUILT), risk=derived("risk"), hour_of=derived("hour_of")
    )
    functions = {
        "age": age,
        "risk": returns(pl.col("rate") * 100),
        "hour_of": returns(pl.col("decision_time").dt.hour()),
    }
    events = trips(("A", 1, 1, 99), ("A", 6, 1, 0), ("C", 7, 1, 0))
    frame = build(declared, day, events.lazy(), {"planes": PLANES}, functions)
    assert frame.select("age", "risk", "hour_of").rows() == [
        (13.0, None, 23.0),
        (13.0, 100.0, 4.0),
        (None, None, 5.0),
    ]
    assert "built" not in frame.columns


ROW_LATE = {"from": "row", "column": "late", "kind": "number"}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"x": {**PLANE, "column": "plan"}},
            "feature x: dataset trips has no column 'plan'; did you mean 'plane'",
        ),
        ({"x": {**PLANE, "kind": "number"}}, "feature x: String is no number"),
        ({"x": {**RATE, "by": ["tail"]}}, "feature x: dataset trips has no column 'tail'"),
        ({"x": ROW_LATE}, "feature x: reads 'late', which is not known at decision time"),
        ({"x": derived("peek")}, "feature x: reads 'arrived', which is not known at decision time"),
        ({"x": derived("missing")}, "feature x: functions.py has no function 'missing'"),
        ({"x": derived("number")}, r"feature x: number\(\) must return a Polars expression"),
        ({"x": derived("typo")}, "feature x: dataset trips has no column 'departed'; did you mean 'departs'"),
        ({"x": derived("others")}, "feature x: its expression reads other rows than the event's own"),
        ({"x": derived("next")}, "feature x: its expression reads other rows than the event's own"),
        ({"x": derived("wrong_type")}, r"derived features \(x\)"),
        ({"x": derived("age", built=BUILT), "built": BUILT}, "features.x.inputs.built: the name is taken"),
        (
            {"x": derived("age", built=BUILT), "y": derived("age", built=WIND)},
            "features.y.inputs.built: the name is taken",
        ),
        ({"trip": {**PLANE, "column": "trip"}}, "feature trip: a column of the key has this name"),
        ({"label": PLANE}, "feature label: every feature table has a column of this name"),
        (
            {"x": {"from": "time", "column": "plane", "part": "hour", "timezone": "UTC"}},
            "'plane' is String: an instant",
        ),
    ],
)
def test_a_declaration_that_does_not_fit_says_why(
    spec: MakeSpec, trips: MakeTrips, day: Batch, features: dict[str, Any], message: str
) -> None:
    functions = {
        "peek": returns(pl.col("arrived").dt.hour()),
        "number": returns(1),
        "typo": returns(pl.col("departed").dt.hour()),
        "others": returns(pl.col("trip") - pl.col("trip").mean()),
        "next": returns(pl.col("trip").shift(-1)),
        "wrong_type": returns(pl.col("plane").dt.hour()),
        "age": age,
    }
    events = trips(("A", 1, 1, 0), ("B", 2, 1, 0), ("A", 3, 1, 0))
    with pytest.raises(SpecError, match=message):
        build(spec(**features), day, events.lazy(), {"planes": PLANES}, functions)


def test_the_horizon_reaches_past_the_longest_window_to_facts_that_were_known_late(spec: MakeSpec) -> None:
    assert horizon(spec(plane=PLANE)) == timedelta(days=1, hours=2)
    assert horizon(spec(rate=RATE, mean=MEAN, wind=WIND)) == timedelta(days=8, hours=2)
    assert horizon(spec(x=derived("age", wind={**WIND, "within": "9d"}))) == timedelta(days=10, hours=2)


happenings = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", None]),
        st.integers(-30, 40),
        st.integers(-4, 12),
        st.sampled_from([0.0, 20.0, 7.25, None]),
    ),
    min_size=1,
    max_size=20,
)
observations = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(-12, 40), st.integers(0, 9)),
    unique_by=lambda row: row[:2],
    max_size=15,
)
COUNT = {**RATE, "statistic": "count", "over": "1d"}
DECLARED = {"plane": PLANE, "rate": RATE, "count": COUNT, "mean": MEAN, "wind": WIND}


def observed(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    seen = [(at, START + timedelta(hours=hour), wind) for at, hour, wind in rows]
    return pl.DataFrame(seen, {"at": pl.String, "seen": INSTANT, "wind": pl.Int64}, orient="row")


@settings(max_examples=50, deadline=None)
@given(happenings, observations)
def test_a_row_is_the_same_made_alone_from_what_was_known_when_it_was_asked_for(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], weather: list[Any]
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), observed(weather)
    whole = build(declared, day, events.lazy(), {"weather": table.lazy()}, {})
    for row in whole.iter_rows(named=True):
        asked = row["decision_time"]
        # The outcome of the event itself is not known either, whatever the data says.
        own = events.filter(pl.col("trip") == row["trip"]).with_columns(late=None, delay=None, arrived=None)
        past = events.filter((pl.col("arrived") <= asked) & (pl.col("trip") != row["trip"]))
        known = pl.concat([past, own], how="vertical_relaxed").lazy()
        seen = {"weather": table.filter(pl.col("seen") <= asked).lazy()}
        alone = build(declared, day, known, seen, {}).filter(pl.col("trip") == row["trip"])
        assert alone.equals(whole.filter(pl.col("trip") == row["trip"]))


@settings(max_examples=50, deadline=None)
@given(happenings, observations)
def test_later_batches_change_nothing(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], weather: list[Any]
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), observed(weather)
    past = events.filter(pl.col("departs") < day.end).lazy()
    seen = {"weather": table.filter(pl.col("seen") < day.end).lazy()}
    assert build(declared, day, past, seen, {}).equals(
        build(declared, day, events.lazy(), {"weather": table.lazy()}, {})
    )


@settings(max_examples=30, deadline=None)
@given(happenings, st.randoms(use_true_random=False))
def test_the_order_of_the_events_changes_no_row(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], random: Any
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), {"weather": observed([]).lazy()}
    shuffled = events[random.sample(range(events.height), events.height)]
    frame = build(declared, day, shuffled.lazy(), table, {})
    assert frame["trip"].to_list() == [trip for trip in shuffled["trip"] if trip in frame["trip"]]
    assert frame.sort("trip").equals(build(declared, day, events.lazy(), table, {}).sort("trip"))
