"""A single request gets what the offline build has of such a row, whatever the data is like."""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.batches import Batch
from core.errors import IntegrityError, PerennialError, SpecError
from core.spec import Spec
from features.build import build
from features.columns import DECISION
from features.online.publish import publish
from features.online.request import Online
from features.online.store import Store, open_store

INSTANT = pl.Datetime("us", "UTC")
START = datetime(2013, 5, 2, tzinfo=UTC)
DAY = timedelta(days=1)
PLANES = ["A", '\N{AIRPLANE} Zürich, "7"', "", "[]", None]
MakeSpec = Callable[..., Spec]
MakeTrips = Callable[..., pl.DataFrame]


def trailing(statistic: str, value: str | None = "delay", over: str = "12h", **more: Any) -> dict[str, Any]:
    named = {} if value is None else {"value": value}
    declared = {"from": "trailing", "by": ["plane"], "statistic": statistic, "over": over}
    return {**declared, **named, **more}


def lookup(dataset: str, column: str, kind: str = "number", **more: Any) -> dict[str, Any]:
    by = {"plane": {"weather": "at", "planes": "plane"}[dataset]}
    return {"from": "lookup", "dataset": dataset, "column": column, "kind": kind, "by": by, **more}


def lag(value: str, **more: Any) -> dict[str, Any]:
    return {"from": "lag", "by": ["plane"], "value": value, **more}


def time(part: str, **more: Any) -> dict[str, Any]:
    zone = "America/New_York"
    return {"from": "time", "column": "departs", "part": part, "timezone": zone, **more}


FEATURES: dict[str, dict[str, Any]] = {
    "aircraft": {"from": "row", "column": "plane", "kind": "category"},
    "distance": {"from": "row", "column": "distance", "kind": "number"},
    "distance_class": {"from": "row", "column": "distance", "kind": "category"},
    "night": {"from": "row", "column": "night", "kind": "category"},
    "is_night": {"from": "row", "column": "night", "kind": "number"},
    "huge": {"from": "row", "column": "huge", "kind": "number"},
    "leaves": {"from": "row", "column": "departs", "kind": "category"},
    **{part: time(part) for part in ("hour", "minute_of_day", "weekday", "day_of_month", "day_of_year")},
    "month_sin": time("month", cycle="sin"),
    "hour_cos": time("hour", cycle="cos"),
    "seats": lookup("planes", "seats"),
    "maker": lookup("planes", "maker", "category"),
    "wind": lookup("weather", "wind", within="6h"),
    "last_wind": lookup("weather", "wind"),
    "sky": lookup("weather", "sky", "category", within="90m"),
    "trips": trailing("count", None),
    "delays": trailing("count", over="7d"),
    "mean": trailing("mean", over="2d"),
    "late_rate": trailing("rate", "late", over="3d"),
    "sum": trailing("sum", over="1d"),
    "distance_sum": trailing("sum", "distance", over="7d", known_at="seen"),
    "huge_sum": trailing("sum", "huge", over="7d"),
    "p90": trailing("quantile", over="2d", quantile=0.9),
    "crews": trailing("distinct", "crew", over="7d"),
    "delays_known": trailing("distinct", over="7d"),
    "idle": trailing("since_last", None, over="30d"),
    "delay_idle": trailing("since_last", over="90m"),
    "all_late": trailing("rate", "late", by=[], over="1d"),
    "crew_plane_mean": trailing("mean", by=["crew", "plane"], over="5d"),
    "by_distance": trailing("count", None, by=["distance"], over="5d"),
    "by_grade": trailing("count", None, by=["grade"], over="9d"),
    "by_time": trailing("count", None, by=["departs", "night"], over="9d"),
    "target": {"from": "target_rate", "by": ["plane"], "over": "2d", "weight": 7.5},
    "crew_target": {"from": "target_rate", "by": ["crew"], "over": "10d", "weight": 1},
    "every_target": {"from": "target_rate", "by": [], "over": "1d", "weight": 3},
    "last": lag("delay"),
    "second": lag("delay", back=2, within="2d"),
    "last_crew": lag("crew", kind="category", known_at="seen"),
    "third_distance": lag("distance", back=3, kind="category"),
    "ratio": {"from": "expression", "expression": "mean / (distance + 1)"},
    "late_after_noon": {"from": "expression", "expression": "hour >= 12 AND COALESCE(late_rate, 0) > 0.4"},
    "ahead": {"from": "function", "function": "ahead", "kind": "number"},
    "crew_and_maker": {
        "from": "function",
        "function": "crew_and_maker",
        "kind": "category",
        "inputs": {"flown": lag("crew", back=2, kind="category")},
    },
    "built": {
        "from": "function",
        "function": "built",
        "kind": "number",
        "inputs": {"since": lookup("planes", "since", "category")},
    },
}
FUNCTIONS: dict[str, Callable[[], pl.Expr]] = {
    "ahead": lambda: pl.col("departs").dt.hour() - pl.col("decision_time").dt.hour(),
    "crew_and_maker": lambda: pl.concat_str("flown", "maker", "crew", separator="/", ignore_nulls=True),
    "built": lambda: pl.col("departs").dt.year() - pl.col("since").dt.year(),
}
REQUEST = ["plane", "crew", "distance", "grade", "night", "huge", "departs"]


def planes() -> pl.DataFrame:
    since = [datetime(year, 1, 1).date() for year in (1999, 2005)]  # noqa: DTZ001
    return pl.DataFrame(
        {
            "plane": [PLANES[0], PLANES[1], None],
            "seats": [55, None, 7],
            "maker": ["Zoë", "B", "C"],
            "since": [*since, None],
        }
    )


def weather(random: np.random.Generator, rows: int) -> pl.DataFrame:
    found = pl.DataFrame(
        {
            "at": random.choice(np.array(PLANES[:4], object), rows).tolist(),
            "seen": [START + timedelta(minutes=30 * int(step)) for step in random.integers(-300, 400, rows)],
            "wind": random.choice(np.array([0.1, 7.0, math.nan, math.inf, None], object), rows).tolist(),
            "sky": random.choice(np.array(["clear", "☁", None], object), rows).tolist(),
        },
        {"at": pl.String, "seen": INSTANT, "wind": pl.Float64, "sky": pl.String},
    )
    return found.unique(["at", "seen"], keep="first", maintain_order=True)


def happenings(trips: MakeTrips, random: np.random.Generator, rows: int) -> pl.DataFrame:
    """Trips of a week: with facts known at one instant, days late, before their own decision, or never."""
    delays = [0.1, -0.3, 17.0, 1e16, -1e16, 44.4, math.nan, math.inf, None]
    drawn = zip(
        random.choice(np.array(PLANES, object), rows),
        random.integers(-96, 72, rows).tolist(),
        random.choice([-3, 1, 1, 2, 5, 40], rows).tolist(),
        random.choice(np.array(delays, object), rows),
        strict=True,
    )

    def any_of(*values: Any) -> list[Any]:
        found: list[Any] = random.choice(np.array(values, object), rows).tolist()
        return found

    return trips(*drawn).with_columns(
        pl.col("departs").dt.offset_by("1h").alias("seen"),
        pl.Series("crew", any_of("x", "é", None), pl.String),
        pl.Series("distance", any_of(100, 2_475, None), pl.Int64),
        pl.Series("grade", any_of(0.0, -0.0, 0.1, None), pl.Float32),
        pl.Series("night", any_of(True, False, None), pl.Boolean),
        pl.Series("huge", any_of(2**54 + 2**30 + 1, -(2**62), 3), pl.Int64),
    )


def batches(events: pl.DataFrame) -> list[tuple[Batch, pl.DataFrame]]:
    """The days of the events, with theirs."""
    found = []
    for day, rows in events.group_by(pl.col("departs").dt.truncate("1d").alias("day"), maintain_order=True):
        start: Any = day[0]
        found.append((Batch(start, start + DAY, f"{start:%Y-%m-%d}"), rows))
    return sorted(found, key=lambda each: each[0])


def published(
    spec: Spec,
    store: Store,
    events: pl.DataFrame,
    tables: dict[str, pl.DataFrame],
    functions: Any = FUNCTIONS,
) -> Online:
    for batch, rows in batches(events):
        publish(spec, store, spec.events, batch, rows.reverse())
    for name, table in tables.items():
        publish(spec, store, name, None, table)
    return Online(spec, FUNCTIONS, store)


def same(online: Any, offline: Any) -> bool:
    """Equal exactly; also where both are NaN."""
    if isinstance(online, float) and isinstance(offline, float) and math.isnan(online):
        return math.isnan(offline)
    return online == offline and (online is None) == (offline is None)


def differences(
    spec: Spec, online: Online, events: pl.DataFrame, tables: dict[str, pl.DataFrame]
) -> Iterable[tuple[Any, ...]]:
    lazy = {name: table.lazy() for name, table in tables.items()}
    for batch, rows in batches(events):
        built = build(spec, batch, events.lazy(), lazy, FUNCTIONS)
        for request, row in zip(rows.select(REQUEST).rows(named=True), built.rows(named=True), strict=True):
            for name, value in online.features(request, row[DECISION]).items():
                if not same(value, row[name]):
                    yield name, value, row[name], request


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    return {"planes": planes(), "weather": weather(np.random.default_rng(2), 200)}


def test_every_feature_of_a_request_is_that_of_the_offline_row(
    spec: MakeSpec, trips: MakeTrips, store: Store, tables: dict[str, pl.DataFrame]
) -> None:
    declared, events = spec(**FEATURES), happenings(trips, np.random.default_rng(1), 250)
    online = published(declared, store, events, tables)
    assert list(differences(declared, online, events, tables)) == []


def test_lookups_of_unlike_tolerance_keep_to_their_columns(
    spec: MakeSpec, trips: MakeTrips, store: Store, tables: dict[str, pl.DataFrame]
) -> None:
    near, nearer = lookup("weather", "wind", within="1h"), lookup("weather", "sky", "category", within="30m")
    declared, events = spec(near=near, nearer=nearer), happenings(trips, np.random.default_rng(1), 80)
    online = published(declared, store, events, tables)
    assert list(differences(declared, online, events, tables)) == []


def test_before_it_is_rounded_a_feature_of_the_past_is_the_same_to_the_bit(
    spec: MakeSpec, trips: MakeTrips, file_store: Store
) -> None:
    pasts = {name: it for name, it in FEATURES.items() if it["from"] in ("trailing", "target_rate", "lag")}
    # A text of a 64-bit float tells it from every other.
    texts = {
        f"text {name}": {"from": "expression", "expression": f"CAST({name} AS VARCHAR)", "kind": "category"}
        for name in pasts
    }
    declared, events = spec(**pasts, **texts), happenings(trips, np.random.default_rng(3), 200)
    online = published(declared, file_store, events, {})
    for batch, rows in batches(events):
        built = build(declared, batch, events.lazy(), {}, {})
        for request, row in zip(rows.select(REQUEST).rows(named=True), built.rows(named=True), strict=True):
            values = online.values(request, row[DECISION])
            for name in pasts:
                offline = row[f"text {name}"]
                exact = type(values[name])(offline) if offline is not None else None
                assert values[name] == exact, (name, request)
                assert values[f"text {name}"] == offline, (name, request)


happening = st.tuples(
    st.sampled_from(PLANES),
    st.integers(-30, 40),
    st.sampled_from([-4, 1, 1, 3, 30]),
    st.sampled_from([0.0, 20.0, 0.1, math.nan, None]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(happening, min_size=1, max_size=15), st.integers(0, 20))
def test_what_becomes_known_later_changes_no_answer(
    spec: MakeSpec, trips: MakeTrips, tmp_path_factory: pytest.TempPathFactory, rows: list[Any], ask: int
) -> None:
    asked = {"mean", "p90", "idle", "target", "last", "trips", "wind"}
    declared = spec(**{name: it for name, it in FEATURES.items() if name in asked})
    events = trips(*rows)
    now = START + timedelta(hours=ask)
    answers: list[list[Any]] = []
    for late in (pl.lit(True), (pl.col("arrived") <= now).fill_null(False)):
        store = open_store(f"sqlite:///{tmp_path_factory.mktemp('home') / 'online.db'}", "trips")
        told = events.with_columns(pl.when(late).then(pl.col("arrived", "delay", "late")))
        sky = weather(np.random.default_rng(5), 60)
        seen = {"weather": sky if not answers else sky.filter(pl.col("seen") <= now)}
        online = published(declared, store, told, seen)
        answers.append([online.features({"plane": plane}, now) for plane in PLANES])
        store.close()
    assert answers[0] == answers[1]


def test_publishing_again_changes_nothing_and_another_batch_only_its_part(
    spec: MakeSpec, trips: MakeTrips, store: Store
) -> None:
    declared = spec(trips=trailing("count", None, over="7d"), sum=trailing("sum", over="7d"))
    first, second = trips(("A", 1, 1, 5.0), ("A", 2, 1, 6.0)), trips(("A", 25, 1, 7.0))
    online = published(declared, store, pl.concat([first, second]), {})
    now = START + 3 * DAY

    def answer() -> list[Any]:
        return list(online.features({"plane": "A"}, now).values())

    assert answer() == [3.0, 18.0]
    (batch, rows), (other, _) = batches(pl.concat([first, second]))
    publish(declared, store, "trips", batch, rows)
    assert answer() == [3.0, 18.0]
    publish(declared, store, "trips", other, trips(("A", 25, 1, 1.0), ("A", 26, 1, 1.0)))
    assert answer() == [4.0, 13.0]
    publish(declared, store, "trips", batch, rows.clear())
    assert answer() == [2.0, 2.0]


def test_any_number_of_threads_may_ask_while_batches_are_published(
    spec: MakeSpec, trips: MakeTrips, store: Store, tables: dict[str, pl.DataFrame]
) -> None:
    declared, events = spec(**FEATURES), happenings(trips, np.random.default_rng(1), 60)
    online = published(declared, store, events, tables)
    request = {"plane": "A", "crew": "x", "departs": START}
    alone, (batch, rows) = online.features(request, START), batches(events)[0]
    over = Event()

    def ask() -> int:
        asked = 0
        while not over.is_set():
            assert online.features(request, START) == alone
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for _ in range(10):
                publish(declared, store, "trips", batch, rows)
        finally:
            over.set()
        assert all(each.result() for each in asking)


def test_an_entity_that_nobody_knows_and_one_that_is_null(
    spec: MakeSpec, trips: MakeTrips, file_store: Store, tables: dict[str, pl.DataFrame]
) -> None:
    events = happenings(trips, np.random.default_rng(1), 50)
    online = published(spec(**FEATURES), file_store, events, tables)
    unknown = online.features({"plane": "never seen"}, START)
    assert (unknown["trips"], unknown["sum"], unknown["crews"]) == (0.0, 0.0, 0.0)
    assert [unknown[name] for name in ("mean", "p90", "idle", "last", "seats", "wind")] == [None] * 6
    assert unknown["target"] is not None  # drawn towards the rate of all
    nobody = online.features({}, START)
    assert {nobody[name] for name in ("trips", "sum", "crews", "mean", "target", "seats", "hour")} == {None}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("plane", 7, "'plane' should be a text, not 7"),
        ("distance", "far", r"'distance' should be a whole number \(Int64\), not 'far'"),
        ("distance", 2.5, r"'distance' should be a whole number \(Int64\), not 2.5"),
        ("distance", True, "'distance' should be a whole number"),
        ("distance", 2**63, "'distance' should be a whole number"),
        ("grade", "0.1", "'grade' should be a number, not '0.1'"),
        ("night", 1, "'night' should be true or false, not 1"),
        ("departs", "noon", "'departs' should be an instant with an offset from UTC"),
        ("departs", datetime(2013, 5, 2), "'departs' should be an instant with an offset"),  # noqa: DTZ001
        ("plain", "A", "the events have no column 'plain'; did you mean 'plane'"),
    ],
)
def test_a_request_of_another_form_is_refused_by_its_field(
    spec: MakeSpec,
    trips: MakeTrips,
    file_store: Store,
    tables: dict[str, pl.DataFrame],
    field: str,
    value: Any,
    message: str,
) -> None:
    events = happenings(trips, np.random.default_rng(1), 20)
    online = published(spec(**FEATURES), file_store, events, tables)
    with pytest.raises(PerennialError, match=message):
        online.features({"plane": "A", field: value}, START)


def test_instants_may_be_texts_in_any_zone(
    spec: MakeSpec, trips: MakeTrips, file_store: Store, tables: dict[str, pl.DataFrame]
) -> None:
    events = happenings(trips, np.random.default_rng(1), 20)
    online = published(spec(**FEATURES), file_store, events, tables)
    asked = [datetime(2013, 5, 2, 9, tzinfo=UTC), "2013-05-02T09:00:00Z", "2013-05-02T11:00:00+02:00"]
    answers = [online.features({"plane": "A", "departs": departs}, START) for departs in asked]
    assert answers[0]["hour"] == 5.0
    assert answers[0] == answers[1] == answers[2]
    with pytest.raises(PerennialError, match="a decision time needs an offset"):
        online.features({"plane": "A"}, START.replace(tzinfo=None))


def test_where_nothing_is_published_it_says_so(spec: MakeSpec, trips: MakeTrips, store: Store) -> None:
    declared, other = spec(mean=trailing("mean")), spec(mean=trailing("mean", over="13h"))
    with pytest.raises(IntegrityError, match="has no trips that were published as trips declares"):
        Online(declared, {}, store).features({"plane": "A"}, START)
    online = published(declared, store, trips(("A", -5, 1, 5.0)), {})
    assert online.features({"plane": "A"}, START) == {"mean": 5.0}
    with pytest.raises(IntegrityError, match="publish its batches"):
        Online(other, {}, store).features({"plane": "A"}, START)
    for part in store.parts():
        store.drop(part)
    with pytest.raises(IntegrityError, match="publish its batches"):
        online.features({"plane": "A"}, START)


def test_a_damaged_value_is_named(spec: MakeSpec, trips: MakeTrips, file_store: Store) -> None:
    declared = spec(mean=trailing("mean", over="7d"))
    events = trips(("A", 1, 1, 5.0))
    online = published(declared, file_store, events, {})

    class Damaging:
        def get(self, keys: Any) -> dict[str, list[bytes]]:
            return {
                key: [value[:-1] + bytes([value[-1] ^ 1]) for value in values]
                for key, values in file_store.get(keys).items()
            }

    online.features({"plane": "A"}, START + DAY)
    online._store = Damaging()  # type: ignore[assignment]
    with pytest.raises(IntegrityError, match=r'trips\[plane=plane\]@arrived/.*/\["A"\]/.* is damaged'):
        online.features({"plane": "A"}, START + DAY)


def test_parts_that_contradict_each_other_are_refused(
    spec: MakeSpec, trips: MakeTrips, file_store: Store
) -> None:
    declared = spec(seats=lookup("planes", "seats"))
    online = published(declared, file_store, trips(("A", 1, 1, 5.0)), {"planes": planes()})
    day = Batch(START, START + DAY, "2013-05-02")
    publish(declared, file_store, "planes", day, planes())
    with pytest.raises(IntegrityError, match=r'two parts of planes have a row of one key, .*\["A"\]'):
        online.features({"plane": "A"}, START)
    publish(declared, file_store, "planes", day, planes().clear().cast({"seats": pl.String}))
    with pytest.raises(IntegrityError, match="planes's 'seats' as Int64 and as String"):
        Online(declared, {}, file_store).features({"plane": "A"}, START)


def test_a_lookup_by_unlike_columns_is_refused(spec: MakeSpec, trips: MakeTrips, file_store: Store) -> None:
    declared = spec(seats=lookup("planes", "seats"))
    numbered = planes().with_columns(plane=pl.Series([1, 2, None]))
    with pytest.raises(SpecError, match="the events' 'plane' is String, but planes's 'plane' is Int64"):
        published(declared, file_store, trips(("A", 1, 1, 5.0)), {"planes": numbered}).features({}, START)
