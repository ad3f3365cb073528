"""The lake holds each batch once, as it was last written, whoever else writes or dies meanwhile."""

import contextlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from core.errors import IntegrityError
from core.lake import Lake

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]
NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "trips")


def rows(*ids: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": ids, "at": [NOON] * len(ids)}, schema={"id": pl.Int64, "at": pl.Datetime("us", "UTC")}
    )


def ids(lake: Lake, *batches: str, version: int | None = None) -> list[int]:
    return lake.scan("raw", batches or None, version).select(pl.col("id").sort()).collect()["id"].to_list()


# -- batches


def test_a_batch_that_is_written_again_replaces_itself_alone(lake: Lake) -> None:
    lake.write("raw", "a", rows(1, 2))
    lake.write("raw", "b", rows(3))
    again = lake.write("raw", "a", rows(4, 5, 6))
    assert (again.table, again.batch, again.rows) == ("raw", "a", 3)
    assert ids(lake) == [3, 4, 5, 6]
    assert ids(lake, "a") == [4, 5, 6]
    assert lake.scan("raw", ["a"]).collect()["batch"].unique().to_list() == ["a"]


def test_the_same_batch_twice_is_there_once(lake: Lake) -> None:
    for _ in range(2):
        lake.write("raw", "a", rows(1, 2))
    assert ids(lake) == [1, 2]


def test_rows_are_read_in_the_order_in_which_they_were_written(lake: Lake) -> None:
    """Also those of a frame in parts, as many threads leave it: sums and draws hang on the order."""
    parts = pl.concat([rows(*range(start, start + 10)) for start in range(0, 160, 10)], rechunk=False)
    assert parts.n_chunks() == 16
    for _ in range(10):
        lake.write("raw", "a", parts)
        assert lake.scan("raw", ["a"]).collect()["id"].to_list() == list(range(160))


def test_an_empty_batch_replaces_what_was_there_and_may_be_the_first(lake: Lake) -> None:
    lake.write("raw", "a", rows())
    assert lake.scan("raw").collect().height == 0
    assert lake.scan("raw").collect_schema()["at"] == pl.Datetime("us", "UTC")
    lake.write("raw", "a", rows(1))
    lake.write("raw", "a", rows())
    assert ids(lake) == []


def test_tables_and_projects_do_not_touch_each_other(lake: Lake) -> None:
    lake.write("raw", "a", rows(1))
    Lake(lake.root, "tours").write("raw", "a", rows(2))
    lake.write("raw/more", "a", rows(3))
    assert ids(lake) == [1]


ODD = [
    "2013-11-03T01-0400",
    "2013-11-03T01+0530",
    "it's",
    "'; --",
    'a "b"',
    "a/b=c%20",
    "é ü",
    "a\\b",
    "*?[x]",
]


def test_any_text_names_a_batch(lake: Lake) -> None:
    for number, batch in enumerate(ODD):
        lake.write("raw", batch, rows(number))
    for number, batch in enumerate(ODD):
        lake.write("raw", batch, rows(number, number + 100))
    for number, batch in enumerate(ODD):
        assert ids(lake, batch) == [number, number + 100]
    assert sorted(lake.scan("raw").collect()["batch"].unique()) == sorted(ODD)


def test_reading_one_batch_opens_the_files_of_no_other(lake: Lake) -> None:
    for number, batch in enumerate(["2013-01", "2013-02", "2013-03"]):
        lake.write("raw", batch, rows(number))
    for file in Path(lake.path("raw")).glob("batch=2013-0[13]/*.parquet"):
        file.unlink()
    assert ids(lake, "2013-02") == [1]
    with pytest.raises((pl.exceptions.PolarsError, OSError)):
        ids(lake)


def test_a_table_can_be_read_as_it_was(lake: Lake) -> None:
    first = lake.write("raw", "a", rows(1)).version
    second = lake.write("raw", "a", rows(2)).version
    lake.write("raw", "b", rows(3))
    assert ids(lake, version=first) == [1]
    assert ids(lake, version=second) == [2]
    assert lake.version("raw") == second + 1
    with pytest.raises(IntegrityError, match="at version 99"):
        lake.scan("raw", version=99)


def test_a_table_that_was_never_written_is_an_error_that_says_what_to_do(lake: Lake) -> None:
    assert not lake.exists("raw")
    with pytest.raises(IntegrityError, match="no such table yet: ingest"):
        lake.scan("raw")
    with pytest.raises(IntegrityError, match="no such table yet"):
        lake.version("raw")


# -- streams


def of(batch: str, *numbers: int) -> pl.DataFrame:
    return rows(*numbers).with_columns(batch=pl.lit(batch))


def test_parts_of_a_stream_are_added_once_in_whichever_company_they_come(lake: Lake) -> None:
    assert lake.append("raw", "s", {1: of("a", 1), 2: pl.concat([of("a", 2), of("b", 3)])}) == 3
    assert lake.append("raw", "s", {1: of("a", 1), 2: of("a", 2)}) == 0
    assert lake.append("raw", "s", {2: of("a", 2), 4: of("b", 4), 3: of("b", 5)}) == 2
    assert lake.append("raw", "s", {3: of("b", 5)}) == 0
    assert lake.append("raw", "another", {1: of("b", 6)}) == 1
    assert (ids(lake), ids(lake, "a"), ids(lake, "b")) == ([1, 2, 3, 4, 5, 6], [1, 2], [3, 4, 5, 6])
    assert lake.version("raw") == 3  # a commit each, and none where there was nothing to add


def test_what_cannot_be_appended_changes_nothing_and_can_be_mended(lake: Lake) -> None:
    lake.append("raw", "s", {1: of("a", 1)})
    wrong = of("a", 2).with_columns(pl.col("id").cast(pl.String))
    with pytest.raises(IntegrityError, match="column 'id' is String, but the table holds Int64"):
        lake.append("raw", "s", {2: of("a", 2), 3: wrong})
    assert lake.append("raw", "s", {2: of("a", 2), 3: of("a", 3).with_columns(city=pl.lit("Rome"))}) == 2
    assert ids(lake) == [1, 2, 3]


# -- columns


def test_a_new_column_is_added_and_null_in_what_was_there(lake: Lake) -> None:
    lake.write("raw", "a", rows(1))
    lake.write("raw", "b", rows(2).with_columns(city=pl.lit("Rome")))
    lake.write("raw", "c", rows(3))
    found = lake.scan("raw").collect().sort("id")
    assert found["city"].to_list() == [None, "Rome", None]


@pytest.mark.parametrize(
    "other",
    [
        pl.col("id").cast(pl.Float64),
        pl.col("id").cast(pl.Int32),
        pl.col("id").cast(pl.String),
        pl.col("at").dt.replace_time_zone(None),
        pl.col("at").cast(pl.String),
    ],
)
def test_a_column_of_another_dtype_is_refused_and_changes_nothing(lake: Lake, other: pl.Expr) -> None:
    lake.write("raw", "a", rows(1))
    before = lake.version("raw")
    with pytest.raises(IntegrityError, match="but the table holds"):
        lake.write("raw", "a", rows(2).with_columns(other))
    assert lake.version("raw") == before
    assert ids(lake) == [1]


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (pl.Series([0, 2**32 - 1], dtype=pl.UInt32), pl.Int64()),
        (pl.Series([0, 255], dtype=pl.UInt8), pl.Int16()),
        (pl.Series([0, 2**63 - 1], dtype=pl.UInt64), pl.Int64()),
        (pl.Series(["a", None], dtype=pl.Categorical), pl.String()),
        (pl.Series(["a", None], dtype=pl.Enum(["a"])), pl.String()),
        (pl.Series([NOON, None]).dt.convert_time_zone("America/New_York"), pl.Datetime("us", "UTC")),
        (pl.Series([NOON, None]).cast(pl.Datetime("ns", "UTC")), pl.Datetime("us", "UTC")),
        (pl.Series([0.1, None], dtype=pl.Float32), pl.Float32()),
        (pl.Series([float("nan"), float("-inf")]), pl.Float64()),
        (pl.Series([[{"why": "x"}], []]), pl.List(pl.Struct({"why": pl.String()}))),
        (pl.Series([None, None]), pl.Null()),
    ],
)
def test_values_are_held_unchanged(lake: Lake, column: pl.Series, dtype: pl.DataType) -> None:
    for _ in range(2):
        lake.write("raw", "a", pl.DataFrame({"id": [1, 2], "x": column}))
    found = lake.scan("raw").collect().sort("id")["x"]
    assert found.dtype == dtype
    assert found.equals(column.cast(dtype).alias("x"))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pl.Series([timedelta(hours=1)]), "column 'x' is Duration"),
        (pl.Series([NOON.time()]), "column 'x' is Time"),
        (pl.Series([2**63], dtype=pl.UInt64), "cannot be held: conversion from `u64`"),
    ],
)
def test_values_that_no_table_can_hold_are_refused(lake: Lake, column: pl.Series, said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        lake.write("raw", "a", pl.DataFrame({"x": column}))
    assert not lake.exists("raw")


def test_a_column_without_a_dtype_takes_that_of_its_first_value(lake: Lake) -> None:
    lake.write("raw", "a", pl.DataFrame({"id": [1], "x": [None]}))
    lake.write("raw", "b", pl.DataFrame({"id": [2], "x": ["y"]}))
    lake.write("raw", "c", pl.DataFrame({"id": [3], "x": [None]}))
    assert lake.scan("raw").collect().sort("id")["x"].to_list() == [None, "y", None]


def test_rows_of_another_batch_are_refused(lake: Lake) -> None:
    lake.write("raw", "a", rows(1).with_columns(batch=pl.lit("a")))
    with pytest.raises(IntegrityError, match="rows of another batch are written as batch b"):
        lake.write("raw", "b", rows(1).with_columns(batch=pl.lit("a")))
    with pytest.raises(IntegrityError, match="differ in case alone"):
        lake.write("raw", "b", rows(1).with_columns(ID=1))


# -- other processes

_WRITE = """
import sys
import polars as pl
from core.lake import Lake
lake, who = Lake(sys.argv[1], "trips"), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(4):
    frame = pl.DataFrame({"id": [who] * 50, "number": number, f"of_{who}": 1})
    lake.write("raw", "all", frame)
    written = lake.write("raw", f"{who}-{number}", frame)
    held = lake.scan("raw", [written.batch], written.version).collect()
    assert held.select(frame.columns).equals(frame), written
"""


def test_processes_that_write_at_once_all_succeed(lake: Lake, start_python: Start) -> None:
    writers = [start_python(_WRITE, lake.root, who) for who in range(4)]
    for writer in writers:
        assert writer.stdout and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.communicate()[1] == "" and writer.returncode == 0
    batches = lake.scan("raw").group_by("batch").agg(pl.len(), pl.col("id", "number").n_unique()).collect()
    assert set(batches.select("len", "id", "number").rows()) == {(50, 1, 1)}
    assert batches.height == 1 + 4 * 4
    assert {f"of_{who}" for who in range(4)} <= set(lake.scan("raw").collect_schema())


_APPEND = """
import sys
import polars as pl
from core.lake import Lake
lake = Lake(sys.argv[1], "trips")
print("ready", flush=True)
sys.stdin.readline()
part = lambda number: pl.DataFrame({"id": [number], "batch": ["a"]})
print(sum(lake.append("raw", "s", {each: part(each), each + 1: part(each + 1)}) for each in range(8)))
"""


def test_processes_that_append_the_same_parts_at_once_add_each_once(lake: Lake, start_python: Start) -> None:
    processes = [start_python(_APPEND, lake.root) for _ in range(3)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate() for process in processes]
    assert sum(int(out) for out, _ in said) == 9, said
    assert ids(lake) == list(range(9))


_REWRITE = """
import sys
import polars as pl
from core.lake import Lake
lake = Lake(sys.argv[1], "trips")
print("ready", flush=True)
for number in range(1, 1000):
    lake.write("raw", "a", pl.DataFrame({"id": [number] * 50_000}))
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_the_old_rows_or_the_new(lake: Lake, start_python: Start) -> None:
    lake.write("raw", "a", pl.DataFrame({"id": [0] * 50_000}))
    lake.write("raw", "b", pl.DataFrame({"id": [-1]}))
    for attempt in range(3):
        writer = start_python(_REWRITE, lake.root)
        assert writer.stdout and writer.stdout.readline() == "ready\n"
        writer.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(timeout=0.003 * attempt)  # so that it dies at another moment of a write each time
        writer.kill()
        said = [int(line) for line in writer.communicate()[0].split()]
        held = lake.scan("raw", ["a"]).collect()["id"]
        assert held.len() == 50_000
        assert held.n_unique() == 1
        assert held[0] >= max(said, default=1)
        assert ids(lake, "b") == [-1]
    lake.write("raw", "a", rows(7).drop("at"))
    assert ids(lake, "a") == [7]


def test_a_table_is_a_delta_table_that_others_can_read(lake: Lake) -> None:
    lake.write("raw", "a", rows(1))
    table = DeltaTable(lake.path("raw"))
    assert table.metadata().partition_columns == ["batch"]
    assert table.history(1)[0]["batch"] == "a"
    assert table.history(1)[0]["rows"] == "1"
