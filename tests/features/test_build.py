"""Feature rows: their shape, their dtypes, what they may know, and which declarations are refused."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.batches import Batch
from core.errors import SpecError
from core.expressions import parse
from core.spec import Spec
from features.build import build
from features.derived import derive

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


OWN = {"from": "lookup", "dataset": "trips", "column": "late", "kind": "number", "by": {"trip": "trip"}}
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
        ({"x": derived("all"), "rate": RATE}, r"feature x: all\(\) reads cs.matches.*: name each column"),
        ({"x": derived("others")}, "feature x: its expression reads other rows than the event's own"),
        ({"x": derived("next")}, "feature x: its expression reads other rows than the event's own"),
        ({"x": derived("wrong_type")}, r"derived features \(x\)"),
        ({"x": derived("age", built=BUILT), "built": BUILT}, "features.x.inputs.built: the name is taken"),
        (
            {"x": derived("age", built=BUILT), "y": derived("age", built=WIND)},
            "features.y.inputs.built: the name is taken",
        ),
        ({"trip": {**PLANE, "column": "trip"}}, "features.trip: a column of the key has this name"),
        ({"x": derived("hidden")}, "feature x: its expression reads other rows than the event's own"),
        ({"x": derived("now")}, r"feature x: now\(\) returns another expression each time"),
        ({"x": derived("broken")}, r"feature x: broken\(\) fails: .*test_build.py:\d+: ZeroDivisionError"),
        ({"x": derived("age", decision_time=BUILT)}, "features.x.inputs.decision_time: the name is taken"),
        ({"x": {**RATE, "known_at": "departs"}}, "feature x: 'late' is known at 'arrived', and not at 'dep"),
        ({"x": OWN}, "feature x: 'late' is known at 'arrived', and not always"),
        ({"label": PLANE}, "features.label: every feature table has a column of this name"),
        ({"x": {**RATE, "by": ["late"]}}, "feature x: reads 'late', which is not known at decision time"),
        (
            {"x": {"from": "expression", "expression": "trip + arrived"}},
            "feature x: reads 'arrived', which is not known at decision time",
        ),
        (
            {"x": {"from": "expression", "expression": "tripp + 1"}},
            "has no column 'tripp'; did you mean 'trip'",
        ),
        ({"x": {"from": "expression", "expression": "plane - 1"}}, r"derived features \(x\)"),
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
        "all": returns(pl.any_horizontal(pl.col("^l.*$"))),
        "typo": returns(pl.col("departed").dt.hour()),
        "others": returns(pl.col("trip") - pl.col("trip").mean()),
        "next": returns(pl.col("trip").map_batches(lambda all: all.shift(-1))),
        "hidden": returns(pl.col("trip").mean().over("departs")),
        "now": lambda: pl.lit(datetime.now(UTC)).dt.year() - pl.col("built"),
        "broken": lambda: pl.col("trip") * (1 // 0),
        "wrong_type": returns(pl.col("plane").dt.hour()),
        "age": age,
    }
    events = trips(("A", 1, 1, 0), ("B", 2, 1, 0), ("A", 3, 1, 0))
    with pytest.raises(SpecError, match=message):
        build(spec(**features), day, events.lazy(), {"planes": PLANES}, functions)


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
DECLARED = {
    "plane": PLANE,
    "rate": {**RATE, "statistic": "rate"},
    "count": COUNT,
    "mean": MEAN,
    "sum": {**MEAN, "statistic": "sum"},
    "high": {**MEAN, "statistic": "quantile", "quantile": 0.7, "over": "1d"},
    "kinds": {**MEAN, "statistic": "distinct"},
    "since": {"from": "trailing", "by": ["plane"], "statistic": "since_last", "over": "2d"},
    "late_rate": {"from": "target_rate", "by": ["plane"], "over": "7d", "weight": 3},
    "last": {"from": "lag", "by": ["plane"], "value": "delay"},
    "before_last": {"from": "lag", "by": ["plane"], "value": "delay", "back": 2, "within": "1d"},
    "wind": WIND,
    "hour": {"from": "time", "column": "departs", "part": "hour", "timezone": "Asia/Kolkata", "cycle": "sin"},
    "gust": {"from": "expression", "expression": "COALESCE(wind, -1) / (count + 1)"},
    "risk": {"from": "function", "function": "risk", "kind": "number"},
}
FUNCTIONS = {"risk": lambda: pl.col("late_rate") * pl.col("last")}


def observed(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    seen = [(at, START + timedelta(hours=hour), wind) for at, hour, wind in rows]
    return pl.DataFrame(seen, {"at": pl.String, "seen": INSTANT, "wind": pl.Int64}, orient="row")


def same_bytes(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    # Text tells -0.0 from 0.0 and every bit of a float, and leaves out what lies under a null.
    return one.schema == other.schema and one.write_csv(null_value="∅") == other.write_csv(null_value="∅")


def told(events: pl.DataFrame, now: Any) -> pl.DataFrame:
    """The events as they were known at an instant: those that have departed or are asked for."""
    known = [
        pl.when(pl.col("arrived") <= now).then(name).alias(name) for name in ("late", "delay", "arrived")
    ]
    return events.with_columns(known)


@settings(max_examples=50, deadline=None)
@given(happenings, observations)
def test_a_row_is_the_same_made_alone_from_what_was_known_when_it_was_asked_for(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], weather: list[Any]
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), observed(weather)
    whole = build(declared, day, events.lazy(), {"weather": table.lazy()}, FUNCTIONS)
    for row in whole.iter_rows(named=True):
        asked, own = row["decision_time"], pl.col("trip") == row["trip"]
        known = told(events, asked).filter(own | pl.col("arrived").is_not_null())
        # The outcome of the event itself is not known either, whatever the data says.
        known = known.with_columns(
            pl.when(~own).then(name).alias(name) for name in ("late", "delay", "arrived")
        )
        seen = {"weather": table.filter(pl.col("seen") <= asked).lazy()}
        alone = build(declared, day, known.lazy(), seen, FUNCTIONS).filter(own)
        assert same_bytes(alone, whole.filter(own))


@settings(max_examples=50, deadline=None)
@given(happenings, observations)
def test_with_and_without_the_future_the_rows_are_the_same_bytes(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], weather: list[Any]
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), observed(weather)
    with_it = build(declared, day, events.lazy(), {"weather": table.lazy()}, FUNCTIONS)
    last = day.end - declared.decision.lead
    past = told(events, last).filter(pl.col("departs") < day.end).lazy()
    seen = {"weather": table.filter(pl.col("seen") < last).lazy()}
    assert same_bytes(build(declared, day, past, seen, FUNCTIONS), with_it)


@settings(max_examples=30, deadline=None)
@given(happenings, observations, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_none(
    spec: MakeSpec, trips: MakeTrips, day: Batch, rows: list[Any], weather: list[Any], random: Any
) -> None:
    declared, events, table = spec(**DECLARED), trips(*rows), observed(weather)
    shuffled = events[random.sample(range(events.height), events.height)]
    other = table[random.sample(range(table.height), table.height)]
    frame = build(declared, day, shuffled.lazy(), {"weather": other.lazy()}, FUNCTIONS)
    assert frame["trip"].to_list() == [trip for trip in shuffled["trip"] if trip in frame["trip"]]
    as_it_was = build(declared, day, events.lazy(), {"weather": table.lazy()}, FUNCTIONS)
    assert same_bytes(frame.sort("trip"), as_it_was.sort("trip"))


def test_some_of_the_features_are_built_as_they_are_among_all(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    declared = spec(**DECLARED)
    events = trips(*[("A", hour, 2, hour % 30.0) for hour in range(-20, 24)])
    tables = {"weather": observed([("A", 2, 7)]).lazy()}
    whole = build(declared, day, events.lazy(), tables, FUNCTIONS)
    key = ["trip", "event_time", "decision_time"]
    for only in (*([name] for name in DECLARED), ["gust", "mean"], []):
        some = build(declared, day, events.lazy(), tables, FUNCTIONS, only=only)
        assert same_bytes(some, whole.select(*key, *(name for name in DECLARED if name in only)))
    with pytest.raises(SpecError, match="no feature 'meen'; did you mean 'mean'"):
        build(declared, day, events.lazy(), tables, FUNCTIONS, only=["meen"])


def test_only_what_is_wanted_is_read(spec: MakeSpec, trips: MakeTrips, day: Batch) -> None:
    events = trips(("A", 5, 1, 0)).drop("delay")
    build(spec(**DECLARED), day, events.lazy(), {}, FUNCTIONS, only=["rate", "hour"])


def test_a_part_of_time_goes_round_its_own_circle(spec: MakeSpec, trips: MakeTrips) -> None:
    # The last instants of a leap year and the first of the next, on clocks 5½ hours ahead of UTC.
    last = datetime(2012, 12, 31, 18, 29, tzinfo=UTC)
    events = trips(("A", 0, 1, 0), ("A", 0, 1, 0)).with_columns(
        departs=pl.Series([last, last + timedelta(minutes=1)], dtype=INSTANT)
    )
    parts = {
        "hour": (23, 0, 24),
        "minute_of_day": (1439, 0, 1440),
        "weekday": (1, 2, 7),
        "day_of_month": (31, 1, 31),
        "day_of_year": (366, 1, 366),
        "month": (12, 1, 12),
    }
    plain = {"from": "time", "column": "departs", "timezone": "Asia/Kolkata"}
    declared = {part: {**plain, "part": part} for part in parts}
    cyclic = {
        f"{part}_{way}": {**plain, "part": part, "cycle": way} for part in parts for way in ("sin", "cos")
    }
    batch = Batch(last, last + timedelta(days=1), "new-year")
    frame = build(spec(**declared, **cyclic), batch, events.lazy(), {}, {})
    for part, (before, after, period) in parts.items():
        assert frame[part].to_list() == [before, after], part
        angles = [
            math.atan2(*pair) / (2 * math.pi) for pair in frame.select(f"{part}_sin", f"{part}_cos").rows()
        ]
        assert (angles[1] - angles[0]) % 1 == pytest.approx(1 / period, abs=1e-6), part
    # Monday, and the first of a year, are where the circles begin.
    assert frame["weekday_cos"][0] == frame["day_of_year_cos"][1] == frame["month_cos"][1] == 1.0


def test_an_expression_is_over_the_event_and_the_features(
    spec: MakeSpec, trips: MakeTrips, day: Batch
) -> None:
    events = trips(("A", 1, 1, 99), ("A", 6, 1, 0)).with_columns(pl.Series("Gewicht ✈", [4, 0]))
    declared = spec(
        rate=RATE,
        load={"from": "expression", "expression": '(1 + COALESCE(rate, 0)) / "Gewicht ✈"'},
        name={"from": "expression", "expression": "plane || '-' || rate", "kind": "category"},
    )
    frame = build(declared, day, events.lazy(), {}, {})
    assert frame.select("load", "name").rows() == [(0.25, None), (None, "A-1.0")]


def test_what_python_makes_of_other_rows_is_found_wherever_they_are() -> None:
    frame = pl.DataFrame({"x": [*range(4000), None, *range(100)]})
    filled = pl.col("x").map_batches(lambda values: values.forward_fill()).alias("filled")
    with pytest.raises(SpecError, match="feature filled: its expression reads other rows"):
        derive(frame, {"filled": filled})
    doubled = pl.col("x").map_batches(lambda values: values * 2).alias("doubled")
    assert derive(frame, {"doubled": doubled})["doubled"].equals(frame["x"] * 2)


@pytest.mark.parametrize(
    ("made", "is_own"),
    [
        (lambda x: x / 86_400, True),
        (lambda x: (x / 86_400).cast(pl.Float32), True),
        (lambda x: 1 / (x - x), True),  # nothing but infinities
        (lambda x: (x - x) / (x - x), True),
        (lambda x: x - x.mean(), False),
        (lambda x: x / x.max(), False),
        (lambda x: x + 1e-9 * x.reverse(), False),
        (lambda x: x.shift(1), False),
        (lambda x: pl.Series([math.inf] * (len(x) - 1) + [1.0] if len(x) > 1 else [2.0]), False),
    ],
)
def test_last_bits_are_no_other_rows_and_a_small_share_of_another_row_is(
    made: Callable[[pl.Series], pl.Series], is_own: bool
) -> None:
    x = pl.Series("x", np.random.default_rng(0).normal(1e9, 1e7, 5_001))
    by_python = {"y": pl.col("x").map_batches(made).alias("y")}
    if is_own:
        assert derive(x.to_frame(), by_python).height == len(x)
        return
    with pytest.raises(SpecError, match="feature y: its expression reads other rows"):
        derive(x.to_frame(), by_python)


@pytest.mark.parametrize("rows", [2, 3, 1_000])
def test_what_is_divided_is_its_own_however_much_its_last_bits_show(rows: int) -> None:
    text = "x / 86400 - FLOOR(x / 86400)"
    by_python = pl.col("x").map_batches(lambda x: x / 86_400 - (x / 86_400).floor()).alias("z")
    for seed in range(20):
        seconds = pl.Series("x", np.random.default_rng(seed).normal(1e9, 1e7, rows)).to_frame()
        assert derive(seconds, {"y": parse(text).alias("y"), "z": by_python}).height == rows
