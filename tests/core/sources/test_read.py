"""Deliveries, good and bad: each row is received once, and what is wrong is said of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from core.batches import Batch
from core.errors import DeliveryError, PerennialError, SpecError
from core.projects import Project
from core.secrets import Secrets
from core.settings import Settings
from core.sources import files
from core.sources.items import Fetched
from core.sources.place import Rules, _place, placed
from core.sources.read import Delivery, read
from core.spec import Dataset

MakeTrips = Callable[..., Project]
HEADER = "id,at,city,paid,late,seen\n"
ROWS = "1,2013-03-10T05:30:00Z,Rome,2.5,true,2013-03-10T06:00:00Z\n2,2013-03-10 12:00,Oslo,NA,false,\n"


def naive(*parts: int) -> datetime:
    """An instant of no zone."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc, arg-type]


@dataclass
class Deliveries:
    """The project `trips`, what is delivered to it, and its batches."""

    project: Project
    staging: Path
    tables: dict[str, pl.LazyFrame] = field(default_factory=dict)

    def put(self, content: str | bytes, name: str = "2013-03-10.csv") -> Path:
        path = self.project.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def batches(self) -> list[Batch]:
        return self.project.spec.batches.calendar().batches()

    def rules(self) -> Rules:
        return Rules(self.project, "trips", self.batches(), self.tables, "x")

    def read(self, batch: str = "2013-03-10") -> Delivery:
        rules, dataset = self.rules(), self.dataset()
        which = self.project.spec.batches.calendar().batch(batch)
        parts = []
        for item in files.items(self.project.folder, dataset.source, [which], {}, Secrets()):
            fetched = files.fetch(
                self.project.folder,
                dataset.source,
                item,
                dataset.columns,
                self.batches(),
                self.staging,
                Secrets(),
            )
            for part in placed(rules, item.batch, fetched, self.staging):
                parts.append(replace(part, name=item.name, staged=fetched.path.name))
        of_batch = [part for part in parts if part.batch == batch]
        return read(self.project, "trips", which, of_batch, self.tables, self.staging)

    def dataset(self) -> Dataset:
        return self.project.spec.datasets["trips"]


@pytest.fixture
def trips(make_trips: MakeTrips, settings: Settings) -> Deliveries:
    """Trips that are delivered in a CSV file a day."""
    return Deliveries(make_trips(), settings.staging)


@pytest.fixture
def deliveries(make_trips: MakeTrips, settings: Settings) -> Callable[..., Deliveries]:
    """Trips that are delivered at another path, or with functions."""

    def make(
        path: str = "{batch}.csv", functions: str | None = None, prepare: str | None = None
    ) -> Deliveries:
        def edit(document: dict[str, dict[str, dict[str, object]]]) -> None:
            document["datasets"]["trips"]["source"] = {"kind": "files", "path": path}
            if prepare:
                document["datasets"]["trips"]["prepare"] = prepare

        return Deliveries(make_trips(edit, functions), settings.staging)

    return make


def code(body: str) -> str:
    """functions.py with this as `prepare`."""
    return f"import polars as pl\ndef prepare(frame, tables):\n    {body}\n"


# -- rows that fail


def test_a_record_of_a_wrong_length_fails_and_blocks_no_other(trips: Deliveries) -> None:
    short, long = "7,2013-03-10 12:00,Bonn", '8,2013-03-10 12:00,Bonn,1,true,,"a, b"'
    first, second = ROWS.splitlines()
    trips.put(HEADER + "\n".join([short, first, long, second, "9"]) + "\n")
    delivery = trips.read()
    assert delivery.failing.rows() == [
        (0, "fields", "", f"3 of 6: {short}"),
        (2, "fields", "", f"7 of 6: {long}"),
        (4, "fields", "", "1 of 6: 9"),
    ]
    assert delivery.delivered["id"].to_list() == ["7", "1", "8", "2", "9"]
    assert delivery.rows["city"].to_list() == ["Bonn", "Rome", "Bonn", "Oslo", None]


def test_lines_within_a_quote_that_is_closed_later_are_one_record_whose_text_is_kept(
    trips: Deliveries,
) -> None:
    first, second = ROWS.splitlines()
    trips.put(HEADER + f'{first}\n3,"2013\n{second}\n4",5\n{second}\n')
    delivery = trips.read()
    assert delivery.delivered.height == 3
    assert "Oslo" in delivery.failing["value"][0]


def test_a_file_without_rows_is_the_batch_of_its_name(trips: Deliveries) -> None:
    trips.put(HEADER)
    delivery = trips.read()
    assert delivery.rows.is_empty()
    assert delivery.failing.is_empty()


def test_a_disk_that_is_full_is_not_the_fault_of_the_rows(trips: Deliveries) -> None:
    trips.put(HEADER + ROWS)
    trips.read()
    (staged,) = trips.staging.iterdir()
    with pytest.raises(PerennialError, match=r"cannot be written to: .*No space left on device"):
        _place(trips.rules(), Fetched("", staged, 2, None), Path("/dev/full"), 0)


def test_a_file_of_another_length_throughout_is_refused(trips: Deliveries) -> None:
    trips.put(HEADER + "1,2\n" * 100_002)
    with pytest.raises(DeliveryError, match="Expected 6 columns, got 2"):
        trips.read()


def test_values_of_a_wrong_type_fail_with_what_was_delivered(trips: Deliveries) -> None:
    trips.put((HEADER + ROWS).replace("2.5", "cheap").replace("false", "perhaps").encode())
    assert trips.read().failing.rows() == [
        (0, "is_float", "paid", "cheap"),
        (1, "is_boolean", "late", "perhaps"),
    ]


def test_bytes_that_are_not_utf8_fail_in_their_row_alone(trips: Deliveries) -> None:
    trips.put((HEADER + ROWS).encode().replace(b"Rome", b"Gen\xe8ve"))
    delivery = trips.read()
    assert delivery.failing.rows() == [(0, "is_string", "city", "Gen\N{REPLACEMENT CHARACTER}ve")]
    assert delivery.rows["city"].to_list() == [None, "Oslo"]


def test_a_row_without_event_time_or_of_another_batch_fails(trips: Deliveries) -> None:
    trips.put(HEADER + "1,,Rome,1,true,\n2,2013-03-11 03:59,Oslo,1,true,\n3,2013-03-11 04:00,Bonn,1,true,\n")
    assert trips.read().failing.rows() == [
        (0, "event_time_in_batch", "at", None),
        (2, "event_time_in_batch", "at", "2013-03-11T04:00:00Z"),  # midnight in New York
    ]


def test_what_json_cannot_hold_is_delivered_as_text(deliveries: Callable[..., Deliveries]) -> None:
    parquet = deliveries("{batch}.parquet")
    pl.DataFrame(
        {
            "id": [b"\xff"],
            "at": [naive(2013, 3, 10, 12)],
            "city": [b"Rome"],
            "paid": [timedelta(hours=1)],
            "late": [[True]],
            "seen": [None],
        }
    ).write_parquet(parquet.project.folder / "2013-03-10.parquet")
    delivery = parquet.read()
    assert delivery.delivered.select(pl.struct(pl.all()).struct.json_encode()).height == 1
    assert delivery.failing["column"].to_list() == ["id", "paid", "late"]


# -- one file for all batches


TIMES = st.none() | st.datetimes(naive(2013, 3, 8), naive(2013, 3, 13)).map(str) | st.just("never")


@given(st.lists(st.tuples(TIMES, st.booleans()), max_size=12))
@example_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.parametrize("prepare", [None, "prepare"])
def test_each_row_of_one_file_belongs_to_one_batch(
    deliveries: Callable[..., Deliveries], prepare: str | None, rows: list[tuple[str | None, bool]]
) -> None:
    one = deliveries("all.csv", code("return frame.with_columns(pl.col('at').alias('when'))"), prepare)
    lines = [
        f"{number},{at or ''},Rome,1,true,{'' if whole else ',x'}\n"
        for number, (at, whole) in enumerate(rows)
    ]
    # Most rows are of one day.
    sure = [f"{number},2013-03-10T12:00:00,Rome,1,true,\n" for number in range(len(rows), 2 * len(rows) + 1)]
    one.put(HEADER + "".join([*lines, *sure]), "all.csv")
    found = {batch: one.read(batch.id) for batch in one.batches()}
    received = [row for delivery in found.values() for row in delivery.origin["position"]]
    assert sorted(received) == list(range(len(lines) + len(sure)))
    for batch, delivery in found.items():
        failing = set(delivery.failing["row"])
        positions = dict(delivery.origin.select("row", "position").iter_rows())
        for row, at in delivery.rows.select("row", "at").iter_rows():
            whole = positions[row] >= len(rows) or rows[positions[row]][1]
            belongs = at is not None and batch.start <= at < batch.end
            assert (row in failing) == (not whole or not belongs)
            # What no batch can claim lies where most of its delivery does.
            assert belongs or batch.id == "2013-03-10"


@pytest.mark.parametrize("at", ["", "never", "1970-01-01T00:00:00", "2031-01-01T00:00:00"])
def test_a_file_of_which_no_row_can_be_placed_is_refused(
    deliveries: Callable[..., Deliveries], at: str
) -> None:
    one = deliveries("all.csv")
    one.put(HEADER + f"1,{at},Rome,1,true,\n" * 2, "all.csv")
    with pytest.raises(DeliveryError, match="not one of 2 rows has a 'at' that can be read and lies between"):
        one.read("2013-03-10")


# -- prepare


def test_prepare_adds_columns_and_may_look_into_other_tables(deliveries: Callable[..., Deliveries]) -> None:
    functions = (
        "def prepare(frame, tables):\n    return frame.join(tables['cities'], on='city', how='left')\n"
    )
    joined = deliveries(functions=functions, prepare="prepare")
    joined.tables = {"cities": pl.LazyFrame({"city": ["Rome"], "founded": [-753]})}
    joined.put(HEADER + ROWS)
    delivery = joined.read()
    assert delivery.rows["founded"].to_list() == [-753, None]
    assert "founded" not in delivery.delivered.columns


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "return frame.filter(tables['nothing'] > 1)",
            r"prepare in functions.py fails: .*functions\.py:3: KeyError",
        ),
        ("return frame.with_columns(x=pl.col('nothing'))", "functions.py fails: .*ColumnNotFoundError"),
        ("return frame.collect()", "should return a LazyFrame, not DataFrame"),
        ("frame.with_columns(x=1)", "should return a LazyFrame, not NoneType"),
        ("return frame.drop('paid', 'row')", "drops the columns row, paid: it should keep every column"),
        ("return frame.with_columns(batch=pl.lit('x'))", "adds the column 'batch', a name of the lake's own"),
        ("return frame.filter(pl.col('id') > 1)", "drops rows"),
        ("return pl.concat([frame, frame])", "repeats rows"),
        ("return frame.with_columns(pl.col('row') + 1)", "changes `row`"),
        ("return frame.with_columns(pl.col('row').reverse())", "changes what was delivered in id, at"),
        ("return frame.with_columns(pl.col('paid').fill_null(0))", "changes what was delivered in paid:"),
        ("return frame.with_columns(pl.col('id').cast(pl.Int32))", "changes what was delivered in id:"),
        (
            "return frame.with_columns(pl.col('at').dt.replace_time_zone(None))",
            "'at' as a datetime in UTC: it is",
        ),
    ],
)
@pytest.mark.parametrize("path", ["{batch}.csv", "all.csv"])
def test_a_prepare_that_does_other_than_add_columns_is_an_error(
    deliveries: Callable[..., Deliveries], body: str, said: str, path: str
) -> None:
    wrong = deliveries(path, code(body), "prepare")
    wrong.put(HEADER + ROWS, path.replace("{batch}", "2013-03-10"))
    with pytest.raises(SpecError, match=f"'trips': prepare in functions.py .*{said}|{said}"):
        # A row that is dropped is received in no batch: the first speaks for all.
        [
            wrong.read(batch)
            for batch in (["2013-03-09", "2013-03-10"] if path == "all.csv" else ["2013-03-10"])
        ]


@pytest.mark.parametrize("path", ["{batch}.csv", "all.csv"])
def test_a_prepare_that_fails_on_the_rows_is_named(deliveries: Callable[..., Deliveries], path: str) -> None:
    strict = deliveries(path, code("return frame.with_columns(x=pl.col('city').cast(pl.Int64))"), "prepare")
    strict.put(HEADER + ROWS, path.replace("{batch}", "2013-03-10"))
    with pytest.raises(DeliveryError, match=r"prepare in functions\.py fails on these rows: conversion"):
        strict.read()


def test_an_event_time_that_prepare_forgot_is_named(make_trips: MakeTrips, settings: Settings) -> None:
    def edit(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["datasets"]["trips"] |= {"prepare": "prepare", "event_time": "started"}

    project = make_trips(edit, "def prepare(frame, tables):\n    return frame\n")
    trips = Deliveries(project, settings.staging)
    trips.put(HEADER + ROWS)
    with pytest.raises(SpecError, match="should add 'started' as a datetime in UTC: there is no such column"):
        trips.read()
