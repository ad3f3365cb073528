"""What journals wrote is in the lake once, whatever is killed, damaged or done twice on the way."""

import fcntl
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from core.upkeep import compact, vacuum
from serving.log.encode import packed, together, unpacked
from serving.log.frames import ROWS, columns, framed
from serving.log.segments import OpenSegment, finished
from serving.log.tables import OUTCOMES, PREDICTIONS, Prediction, served
from tests.serving.log.conftest import NOON, Log

Row = Callable[..., Prediction]
Start = Callable[..., subprocess.Popen[str]]
Write = Callable[..., Path]


@pytest.fixture
def write(log: Log, row: Row) -> Write:
    """Writes a segment whose frames are of these numbers, and closes it; gives its path."""

    def write(stream: str, number: int, *frames: Iterable[int]) -> Path:
        segment = OpenSegment.begin(log.folder / PREDICTIONS, stream, number)
        for numbers in frames:
            rows = [packed(row(each)) for each in numbers]
            segment.append(framed(ROWS, together(rows)), len(rows))
        segment.close()
        return log.folder / PREDICTIONS / f"{stream}-{number:08d}.closed"

    return write


def left(log: Log) -> list[str]:
    """The files of the folder, but for the collector's lock."""
    files = [path for path in log.folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return sorted(str(path.relative_to(log.folder)) for path in files)


# -- what is read


def test_a_log_of_which_nothing_was_collected_is_empty(log: Log) -> None:
    rows = served(log.lake, OUTCOMES, log.schemas[OUTCOMES], NOON).collect()
    assert (rows.height, rows.schema) == (0, log.schemas[OUTCOMES])
    assert (log.collect().rows, log.collect().faults) == (0, ())
    assert not log.lake.exists(OUTCOMES)


def test_rows_of_two_days_in_a_segment_lie_apart_and_the_older_are_not_opened(log: Log, row: Row) -> None:
    late = [row(number, at=NOON + timedelta(hours=11, minutes=number)) for number in range(120)]
    segment = OpenSegment.begin(log.folder / PREDICTIONS, "a", 1)
    segment.append(framed(ROWS, together(list(map(packed, late)))), 120)
    segment.close()
    log.collect()
    batches = log.lake.scan(PREDICTIONS).group_by("batch").len().sort("batch").collect().rows()
    assert batches == [("2013-12-31", 60), ("2014-01-01", 60)]
    for file in Path(log.lake.path(PREDICTIONS)).glob("batch=2013-12-31/*.parquet"):
        file.unlink()
    since = served(log.lake, PREDICTIONS, log.schemas[PREDICTIONS], NOON + timedelta(hours=12, minutes=10))
    assert since.select(pl.col("request_id").cast(pl.Int64)).collect()["request_id"].min() == 70


def test_a_segment_in_use_is_left_to_its_journal(log: Log, row: Row) -> None:
    segment = OpenSegment.begin(log.folder / PREDICTIONS, "a", 1)
    segment.append(framed(ROWS, together([packed(row(1))])), 1)
    assert log.collect().rows == 0
    segment.close()
    assert log.collect().rows == 1


# -- what is there twice, or half


def test_what_a_kill_left_after_its_commit_is_only_deleted(log: Log, write: Write, tmp_path: Path) -> None:
    """The segments are put back as they were: so they lie there if nothing was deleted any more."""
    write("a", 1, [1, 2], [3])
    write("a", 2, [4])
    write("b", 1, [5])
    shutil.copytree(log.folder, tmp_path / "before")
    assert log.collect().rows == 5
    shutil.copytree(tmp_path / "before", log.folder, dirs_exist_ok=True)
    write("a", 3, [6])  # the journal went on meanwhile: it is committed together with what is known
    assert (log.collect().rows, log.collect().rows) == (1, 0)
    assert (log.numbers(), left(log)) == ([1, 2, 3, 4, 5, 6], [])


def test_the_table_remembers_its_streams_though_its_log_is_cut(log: Log, write: Write) -> None:
    path = write("a", 1, [1])
    known = path.read_bytes()
    log.collect()
    for number in range(2, 5):
        write("b", number, [number])
        log.collect()
    compact(log.lake, PREDICTIONS)
    log.lake.open(PREDICTIONS).create_checkpoint()
    commits = list(Path(log.lake.path(PREDICTIONS), "_delta_log").glob("*.json"))
    for commit in commits:
        os.utime(commit, (0, 0))
    vacuum(log.lake, PREDICTIONS, keep=(), hours=0)
    assert not any(commit.exists() for commit in commits[:-1])
    path.write_bytes(known)
    assert log.collect().rows == 0
    assert log.numbers() == [1, 2, 3, 4]


_COLLECT = """
import sys
from pathlib import Path
import polars as pl
from core.lake import Lake
from serving.log import collect
from serving.log.tables import schemas
collect._AT_ONCE = 1  # a commit for each segment: as many moments to be killed at as there can be
print("ready", flush=True)
sys.stdin.readline()
schema = {"served/predictions": schemas(pl.Boolean(), wide=False)["served/predictions"]}
done = collect.collect(Path(sys.argv[1]), Lake(sys.argv[2], "flights"), schema)
print(done.rows, *done.faults)
"""


@pytest.mark.slow
def test_a_collector_that_is_killed_loses_and_doubles_nothing(
    log: Log, write: Write, start_python: Start
) -> None:
    for number in range(1, 121):
        write("ab"[number % 2], number, [number])
    draw = random.Random(1)
    killed = 0
    for _ in range(5):
        process = start_python(_COLLECT, log.folder, log.lake.root)
        assert process.stdout and process.stdin and process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        begun, there = time.monotonic(), len(left(log))
        while len(left(log)) == there and time.monotonic() < begun + 20:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        process.wait()
        killed += 0 < len(left(log)) < 120
    assert killed >= 3, "it was too quick to be killed in the middle"
    log.collect()
    assert (log.numbers(), left(log)) == (list(range(1, 121)), [])


@pytest.mark.slow
def test_two_that_collect_at_once_move_each_row_once(log: Log, write: Write, start_python: Start) -> None:
    for number in range(1, 41):
        write("ab"[number % 2], number, [number])
    both = [start_python(_COLLECT, log.folder, log.lake.root) for _ in range(2)]
    for process in both:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in both]
    assert sum(int(out) for out, _ in said) == 40, said
    assert (log.numbers(), left(log)) == (list(range(1, 41)), [])


# -- what is wrong


def test_a_damaged_segment_is_put_aside_and_what_is_before_and_after_is_kept(log: Log, write: Write) -> None:
    path = write("a", 1, [1], [2], [3])
    write("a", 2, [4])
    spoilt = bytearray(path.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    path.write_bytes(spoilt)
    found = log.collect()
    place = len(spoilt) // 3
    sentence = f"a-00000001.closed: the frame at byte {place} is damaged; the rows before it are kept"
    assert (found.rows, found.faults) == (2, (f"{PREDICTIONS}: {sentence}",))
    assert log.numbers() == [1, 4]
    aside = log.folder / "damaged" / PREDICTIONS
    assert (aside / "a-00000001.closed").read_bytes() == spoilt
    assert (aside / "a-00000001.closed.txt").read_text() == f"{sentence}\n"
    assert log.collect().faults == ()


def test_a_damaged_segment_is_put_aside_though_its_collector_was_killed(log: Log, write: Write) -> None:
    path = write("a", 1, [1], [2])
    spoilt = path.read_bytes()[:-3]
    path.write_bytes(spoilt)
    log.collect()
    (log.folder / "damaged" / PREDICTIONS / path.name).rename(path)
    assert len(log.collect().faults) == 1
    assert (log.numbers(), path.exists()) == ([1], False)


def test_a_torn_end_of_a_dead_process_is_no_damage(log: Log, write: Write) -> None:
    path = write("a", 1, [1], [2])
    path.with_suffix(".open").write_bytes(path.read_bytes()[:-3])
    path.unlink()
    assert (log.collect().faults, log.numbers(), left(log)) == ((), [1], [])


def test_what_cannot_be_collected_stays_and_stops_no_other(log: Log, write: Write, row: Row) -> None:
    """A stream whose rows are of another dtype: it waits, in its order, until the table takes it."""
    write("a", 1, [1])
    log.collect()
    own, _ = unpacked(together([packed(row(2))]), log.schemas[PREDICTIONS])
    other = own.with_columns(pl.col("prediction").cast(pl.String))
    segment = OpenSegment.begin(log.folder / PREDICTIONS, "b", 1)
    segment.append(columns(other), 1)
    segment.close()
    write("b", 2, [3])
    write("c", 1, [4])
    found = log.collect()
    assert (found.rows, log.numbers()) == (1, [1, 4])
    (fault,) = found.faults
    assert fault.startswith(f"{PREDICTIONS}: cannot be collected for now: ")
    assert "column 'prediction' is String, but the table holds Float64" in fault
    assert [segment.number for segment in finished(log.folder / PREDICTIONS)] == [1, 2]


def test_a_lake_that_cannot_be_written_to_is_tried_again(log: Log, write: Write) -> None:
    write("a", 1, [1])
    place = Path(log.lake.root)
    place.write_text("a file")
    found = log.collect()
    assert (found.rows, len(found.faults)) == (0, 1)
    place.unlink()
    assert (log.collect().rows, log.numbers()) == (1, [1])


def test_an_empty_segment_of_a_process_that_died_at_once_is_cleared_away(log: Log) -> None:
    (log.folder / PREDICTIONS).mkdir(parents=True)
    path = log.folder / PREDICTIONS / "a-00000001.open"
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert (log.collect().rows, path.exists()) == (0, True)
    assert (log.collect().rows, path.exists()) == (0, False)
