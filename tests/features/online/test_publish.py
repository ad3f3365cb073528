"""What is published of a batch, for how long it is needed, and which rows are refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from core.batches import Batch
from core.errors import IntegrityError, SpecError
from core.spec import Spec
from features.online.publish import datasets, expired, publish, superseded
from features.online.store import Store

START = datetime(2013, 5, 2, tzinfo=UTC)
MakeSpec = Callable[..., Spec]
MakeTrips = Callable[..., pl.DataFrame]
MEAN = {"from": "trailing", "by": ["plane"], "value": "delay", "statistic": "mean", "over": "12h"}
COUNT = {**MEAN, "statistic": "count", "over": "3d"}
LAST = {"from": "lag", "by": ["plane"], "value": "delay"}
SEATS = {"from": "lookup", "dataset": "planes", "column": "seats", "kind": "number", "by": {"plane": "plane"}}
WIND = {"from": "lookup", "dataset": "weather", "column": "wind", "kind": "number", "by": {"plane": "at"}}


def days(spec: Spec, *names: str) -> list[Batch]:
    return [spec.batches.calendar().batch(name) for name in names]


def put(spec: Spec, store: Store, trips: pl.DataFrame, *names: str) -> None:
    for day in days(spec, *names):
        publish(spec, store, "trips", day, trips)


def test_what_is_published_is_told(spec: MakeSpec, trips: MakeTrips, store: Store, day: Batch) -> None:
    declared = spec(mean=MEAN)
    found = publish(declared, store, "trips", day, trips(("A", 1, 1, 5.0), ("B", 1, 1, 5.0)))
    assert store.parts() == [found.part]
    assert found.part.endswith("/trips/2013-05-02")
    assert found.keys == 3  # two planes and the dtypes
    assert found.bytes > 100


def test_the_datasets_to_publish_are_the_events_and_those_looked_up_in(spec: MakeSpec) -> None:
    assert datasets(spec(mean=MEAN)) == ["trips"]
    assert datasets(spec(seats=SEATS, mean=MEAN, wind=WIND)) == ["trips", "planes", "weather"]


def test_the_order_of_the_rows_changes_no_byte(
    spec: MakeSpec, trips: MakeTrips, store: Store, day: Batch
) -> None:
    declared = spec(mean=MEAN, last=LAST)
    rows = trips(*[("A", hour % 3, 1, float(hour)) for hour in range(20)])
    stored: list[dict[str, bytes]] = []

    class Recording:
        def put(self, part: str, values: dict[str, bytes]) -> None:
            stored.append(dict(values))

    for each in (rows, rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=1)):
        publish(declared, Recording(), "trips", day, each)  # type: ignore[arg-type]
    assert stored[0] == stored[1] == stored[2]


def test_a_batch_is_needed_until_no_window_reaches_what_was_known_of_it_last(
    spec: MakeSpec, trips: MakeTrips, store: Store
) -> None:
    declared = spec(mean=MEAN, count=COUNT)
    put(declared, store, trips(), "2013-05-02", "2013-05-03")
    publish(declared, store, "trips", None, trips())
    first = store.parts()[0]
    # The day ends, its last outcome is known within the maturity of a day, and counts for three.
    last = START + timedelta(days=1) + timedelta(days=1) + timedelta(days=3)
    assert expired(store.parts(), declared, last - timedelta(microseconds=1)) == []
    assert expired(store.parts(), declared, last) == [first]
    # The newest stays: it says what the columns are.
    assert expired(store.parts(), declared, last + timedelta(days=1)) == [first]


def test_what_any_later_request_may_need_does_not_expire(
    spec: MakeSpec, trips: MakeTrips, store: Store
) -> None:
    declared = spec(last=LAST, seats=SEATS)
    put(declared, store, trips(), "2013-05-02")
    publish(declared, store, "planes", None, pl.DataFrame({"plane": ["A"], "seats": [5]}))
    assert expired(store.parts(), declared, START + timedelta(days=3650)) == []


def test_parts_of_other_declarations_lie_beside_until_they_are_dropped(
    spec: MakeSpec, trips: MakeTrips, store: Store
) -> None:
    before, now = spec(mean=MEAN), spec(mean={**MEAN, "over": "13h"})
    put(before, store, trips(), "2013-05-02")
    old = store.parts()
    put(now, store, trips(), "2013-05-02", "2013-05-03")
    assert superseded(store.parts(), now) == old
    assert set(superseded(store.parts(), before)) == set(store.parts()) - set(old)
    newer = superseded(store.parts(), before)
    assert expired(store.parts(), now, START + timedelta(days=99)) == newer[:1]


PLANES = pl.DataFrame({"plane": ["A", "B", "A", None, None], "seats": [5, 6, 7, 8, 9]})


@pytest.mark.parametrize(
    ("feature", "dataset", "rows", "fault", "message"),
    [
        (
            SEATS,
            "planes",
            PLANES,
            IntegrityError,
            "planes: 2 rows share their key with another, such as plane=A",
        ),
        (SEATS, "planes", PLANES.drop("seats"), SpecError, "dataset planes has no column 'seats'"),
        (WIND, "weather", PLANES, SpecError, "dataset weather has no column 'at'"),
        (
            SEATS,
            "planes",
            pl.DataFrame({"plane": ["A"], "seats": [[1]]}),
            SpecError,
            r"planes's 'seats' is List\(Int64\): the online store holds texts",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_changes(
    spec: MakeSpec, store: Store, feature: Any, dataset: str, rows: pl.DataFrame, fault: type, message: str
) -> None:
    with pytest.raises(fault, match=message):
        publish(spec(x=feature), store, dataset, None, rows)
    assert store.parts() == []


def test_an_instant_that_is_none_is_refused(
    spec: MakeSpec, trips: MakeTrips, store: Store, day: Batch
) -> None:
    rows = trips(("A", 1, 1, 5.0)).with_columns(arrived=pl.lit("noon"))
    with pytest.raises(SpecError, match="column 'arrived' is String: an instant is a datetime in UTC"):
        publish(spec(mean=MEAN), store, "trips", day, rows)


@pytest.mark.parametrize("statistic", ["mean", "sum", "rate"])
def test_a_statistic_of_what_has_none_is_refused(
    spec: MakeSpec, trips: MakeTrips, store: Store, day: Batch, statistic: str
) -> None:
    of_text = {**MEAN, "value": "plane", "statistic": statistic}
    with pytest.raises(SpecError, match=f"feature x: {statistic} of 'plane': the column is String"):
        publish(spec(x=of_text), store, "trips", day, trips(("A", 1, 1, 5.0)))
