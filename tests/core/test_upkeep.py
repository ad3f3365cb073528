"""Upkeep takes from tables what nobody reads, and nothing else, whoever writes meanwhile."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from core.errors import IntegrityError
from core.lake import Lake, contended
from core.upkeep import FEW, compact, delete, held, vacuum

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]
MONTHS = 60 * 86_400  # seconds


class Bucket(Protocol):
    name: str
    client: Any


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "trips")


def rows(*ids: int) -> pl.DataFrame:
    return pl.DataFrame({"id": ids}, schema={"id": pl.Int64})


def ids(lake: Lake, version: int | None = None) -> list[int]:
    return lake.scan("raw", None, version).select(pl.col("id").sort()).collect()["id"].to_list()


def files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.path("raw")).glob("batch=*/*.parquet"))


@contended
def append(lake: Lake, batch: str, *values: int) -> None:
    """A small file more for a batch, as a writer of another kind would leave it."""
    frame = rows(*values).with_columns(pl.lit(batch).alias("batch"))
    write_deltalake(lake.path("raw"), frame.to_arrow(), mode="append", partition_by=["batch"])


# -- the log


@pytest.mark.parametrize("made_before", [False, True])
def test_a_version_is_readable_after_the_log_would_have_been_cut(lake: Lake, made_before: bool) -> None:
    """Delta cuts after a commit what is more than 30 days old, if it is not told otherwise."""
    if made_before:
        append(lake, "b", -1)
    written = grown(lake)
    for number in range(25, 40):
        lake.write("raw", "a", rows(number))
    delete(lake, "raw", ["a"])
    vacuum(lake, "raw", [written[3], written[15]], 0)
    for number in (3, 15):
        assert ids(lake, written[number])[-1] == number


def test_the_log_of_a_table_of_which_nothing_is_to_be_kept_is_cut(lake: Lake) -> None:
    written = grown(lake)
    vacuum(lake, "raw", [], 0)
    assert len(list(Path(lake.path("raw")).glob("_delta_log/*.json"))) < 20
    assert ids(lake) == [24]
    with pytest.raises(IntegrityError, match=f"cannot be read at version {written[3]}"):
        lake.scan("raw", version=written[3])


def grown(lake: Lake) -> list[int]:
    """The versions of 25 writes to a batch, with checkpoints among them, all of two months ago."""
    found = [lake.write("raw", "a", rows(0)).version]
    DeltaTable(lake.path("raw")).alter.set_table_properties({"delta.checkpointInterval": "10"})
    found += [lake.write("raw", "a", rows(number)).version for number in range(1, 25)]
    then = time.time() - MONTHS
    for path in Path(lake.path("raw")).glob("_delta_log/*"):
        os.utime(path, (then, then))
    return found


# -- batches deleted


def test_batches_are_deleted_from_the_newest_version_alone(lake: Lake) -> None:
    names = ["2013-11-03T01-0400", "it's", "a/b=c%20", "é ü", "kept"]
    for number, batch in enumerate(names):
        lake.write("raw", batch, rows(number))
    before = lake.version("raw")
    delete(lake, "raw", names[:-1])
    assert ids(lake) == [4] and list(held(lake, "raw")) == ["kept"]
    assert ids(lake, before) == [0, 1, 2, 3, 4]
    delete(lake, "raw", ["kept"])
    assert held(lake, "raw") == {} and lake.scan("raw").collect().schema["id"] == pl.Int64
    lake.write("raw", "kept", rows(7))
    assert ids(lake) == [7]


def test_what_is_held_is_told_by_batch(lake: Lake) -> None:
    lake.write("raw", "empty", rows())
    lake.write("raw", "a", rows(1, 2))
    append(lake, "a", 3)
    found = held(lake, "raw")
    assert (found["a"].rows, found["a"].files, found["a"].small) == (3, 2, 2)
    assert found["a"].bytes == sum(path.stat().st_size for path in files(lake) if "batch=a" in str(path))


# -- compaction


def test_small_files_are_put_together_and_the_rows_stay_as_they_were(lake: Lake) -> None:
    lake.write("raw", "a", rows(0))
    lake.write("raw", "b", rows(100))
    for number in range(1, FEW + 2):
        append(lake, "a", number)
    before = lake.scan("raw", ["a"]).collect()
    assert list(compact(lake, "raw")) == ["a"]
    assert held(lake, "raw")["a"].files == 1
    assert lake.scan("raw", ["a"]).collect().equals(before)
    version = lake.version("raw")
    assert compact(lake, "raw") == {} and lake.version("raw") == version


def test_few_small_files_are_not_worth_a_commit(lake: Lake) -> None:
    lake.write("raw", "a", rows(0))
    for number in range(1, FEW):
        append(lake, "a", number)
    version = lake.version("raw")
    assert compact(lake, "raw") == {} and lake.version("raw") == version


# -- vacuum


def test_a_vacuum_leaves_what_is_kept_what_is_newest_and_what_is_young(lake: Lake) -> None:
    versions = [lake.write("raw", "a", rows(number)).version for number in range(4)]
    lake.write("raw", "b", rows(9))
    assert vacuum(lake, "raw", [versions[1]], 24).files == 0
    removed = vacuum(lake, "raw", [versions[1]], 0)
    assert removed.files == 2 and removed.bytes > 0
    assert ids(lake) == [3, 9] and ids(lake, versions[1]) == [1]
    version = lake.version("raw")
    assert vacuum(lake, "raw", [versions[1]], 0).files == 0
    assert lake.version("raw") == version, "nothing to remove is no commit"


def test_a_file_that_was_just_replaced_stays_however_old_it_is(lake: Lake) -> None:
    """A reader, or a fit, that began before reads it on."""
    first = lake.write("raw", "a", rows(1)).version
    then = time.time() - MONTHS
    for path in files(lake):
        os.utime(path, (then, then))
    lake.write("raw", "a", rows(2))
    vacuum(lake, "raw", [], 24)
    assert ids(lake, first) == [1]


def test_what_a_killed_writer_left_is_removed_once_it_is_old(lake: Lake) -> None:
    lake.write("raw", "a", rows(1))
    (whole,) = files(lake)
    left = whole.with_name("part-00000-00000000-0000-4000-8000-000000000000-c000.snappy.parquet")
    left.write_bytes(whole.read_bytes())
    vacuum(lake, "raw", [], 24)
    assert left.is_file()
    then = time.time() - MONTHS
    os.utime(left, (then, then))
    assert vacuum(lake, "raw", [], 24).files == 1
    assert not left.is_file() and ids(lake) == [1]


def test_nothing_is_removed_where_a_version_to_be_kept_cannot_be_told(lake: Lake) -> None:
    for number in range(3):
        lake.write("raw", "a", rows(number))
    before = files(lake)
    with pytest.raises(IntegrityError, match=r"version 99.*was trained on it.*_delta_log back"):
        vacuum(lake, "raw", [2, 99], 0)
    assert files(lake) == before


# -- others at work

_WRITE = """
import sys
import polars as pl
from core.lake import Lake
lake, who = Lake(sys.argv[1], "trips"), int(sys.argv[2])
print("ready", flush=True)
for number in range(12):
    frame = pl.DataFrame({"id": range(number, number + 40)}).with_columns(who=who, of=number)
    lake.write("raw", "all", frame)
    lake.write("raw", f"{who}-{number % 3}", frame)
"""
_KEEP = """
import sys
from core.lake import Lake
from core.upkeep import compact, delete, vacuum
import core.upkeep
core.upkeep.FEW = 1
lake = Lake(sys.argv[1], "trips")
print("ready", flush=True)
for number in range(1000):
    compact(lake, "raw")
    delete(lake, "raw", ["old"])
    vacuum(lake, "raw", [1], 1)
    print(number, flush=True)
"""


def test_writers_lose_no_row_while_a_table_is_kept_in_order(lake: Lake, start_python: Start) -> None:
    lake.write("raw", "old", rows(1))
    for number in range(4):
        append(lake, "kept", number)
    keeper = start_python(_KEEP, lake.root)
    writers = [start_python(_WRITE, lake.root, who) for who in range(2)]
    for number in range(4, 12):  # so that there is something to be put together
        append(lake, "kept", number)
    for writer in writers:
        assert writer.communicate()[1] == "" and writer.returncode == 0
    assert keeper.poll() is None, keeper.communicate()[1]
    assert keeper.stdout and keeper.stdout.readline() == "ready\n"
    assert keeper.stdout.readline() == "0\n"
    keeper.kill()
    keeper.wait()
    found = lake.scan("raw").collect()
    for who in range(2):
        for last in (9, 10, 11):
            mine = found.filter(pl.col("batch") == f"{who}-{last % 3}")
            assert mine["id"].sort().to_list() == list(range(last, last + 40))
            assert mine["of"].unique().to_list() == [last]
    together = found.filter(pl.col("batch") == "all")
    assert together.height == 40 and together["of"].unique().to_list() == [11]
    assert found.filter(pl.col("batch") == "kept")["id"].sort().to_list() == list(range(12))
    assert ids(lake, 1) == [1]


def test_one_that_is_killed_anywhere_leaves_every_row(lake: Lake, start_python: Start) -> None:
    lake.write("raw", "old", rows(1))
    for attempt in range(4):
        for number in range(3):
            append(lake, f"kept-{attempt}", number)
        keeper = start_python(_KEEP, lake.root)
        assert keeper.stdout and keeper.stdout.readline() == "ready\n"
        time.sleep(0.01 * attempt)
        keeper.kill()
        keeper.wait()
        found = lake.scan("raw").filter(pl.col("batch") != "old").collect()
        assert found["id"].sort().to_list() == sorted([0, 1, 2] * (attempt + 1))
    assert ids(lake, 1) == [1]


# -- object storage


@pytest.fixture
def on_s3(bucket: Bucket, aws: pytest.MonkeyPatch) -> Lake:
    aws.setenv("AWS_ALLOW_HTTP", "true")
    return Lake(f"s3://{bucket.name}/lake", "trips")


def test_the_same_on_object_storage(on_s3: Lake) -> None:
    versions = [on_s3.write("raw", "a", rows(number)).version for number in range(4)]
    on_s3.write("raw", "b", rows(9))
    delete(on_s3, "raw", ["b"])
    assert vacuum(on_s3, "raw", [versions[1]], 0).files == 3
    assert ids(on_s3) == [3] and ids(on_s3, versions[1]) == [1]
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        ids(on_s3, versions[0])
