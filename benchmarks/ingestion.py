"""Does ingestion stay flat? Its memory as rows grow tenfold, its time as batches grow hundredfold.

Run as `python -m benchmarks.ingestion` for both, or with a number of rows for the memory of one run.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from benchmarks.measures import Measure, report
from benchmarks.validation import replicated
from core.batches import Batch
from core.settings import CHECKOUT, Settings
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.workspace import Workspace, open_workspace

BATCH = 200_000  # rows of a batch in the runs whose memory is measured
FEW, MANY = 10, 1_000  # batches of history
SMALL = 1_000  # rows of a batch in the runs whose time is measured
FIRST = date(2013, 1, 1)
KINDS = {
    "id": "integer",
    "at": "datetime",
    "known": "datetime",
    "late": "boolean",
    "carrier": "string",
    "origin": "string",
    "dest": "string",
    "tailnum": "string",
    "distance": "integer",
    "dep_delay": "integer",
    "arr_delay": "integer",
}
SUITE = [
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_not_be_null", {"column": "carrier"}),
    ("expect_column_values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]}),
    ("expect_column_values_to_match_regex", {"column": "tailnum", "regex": "^N[0-9A-Z]{1,5}$"}),
    ("expect_column_values_to_be_between", {"column": "distance", "min_value": 1, "max_value": 6000}),
    ("expect_column_values_to_be_between", {"column": "dep_delay", "min_value": -120, "max_value": 1500}),
    ("expect_column_values_to_be_between", {"column": "arr_delay", "min_value": -150, "max_value": 1500}),
]


def measures() -> list[Measure]:
    """Both figures, each as a ratio in one run."""
    return [*memory(), *growth()]


def memory(few: int = 2_000_000, many: int = 20_000_000) -> list[Measure]:
    """The peak memory of ingesting `many` rows in batches against that of `few`."""
    small, large = _peak(few), _peak(many)
    ratio = large / small
    return [
        Measure(f"peak memory, {few:,} rows", small, "GB"),
        Measure(f"peak memory, {many:,} rows", large, "GB"),
        Measure("memory as rows grow tenfold", ratio, "ratio", "at most 1.5", ratio <= 1.5),
    ]


def growth(rounds: int = 9) -> list[Measure]:
    """The time that one more batch takes after 1,000 batches of history, against that after 10.

    Two histories take in one more batch by turns, so that both find the machine in one state.
    """
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        short, long = (_history(Path(folder) / str(length), length, rounds) for length in (FEW, MANY))
        times = [(next(short), next(long)) for _ in range(rounds)]
    early, late = (statistics.median(seconds) for seconds in zip(*times, strict=True))
    ratio = statistics.median(after_many / after_few for after_few, after_many in times)
    return [
        Measure(f"one more batch after {FEW}", early, "s"),
        Measure(f"one more batch after {MANY:,}", late, "s"),
        Measure("time as history grows hundredfold", ratio, "ratio", "at most 1.5", ratio <= 1.5),
    ]


def _history(folder: Path, length: int, rounds: int) -> Iterator[float]:
    """Take in so many batches, each from a file of its own, and then for each further one say the seconds."""
    workspace = _project(folder, length + rounds, "inbox/*.parquet")
    (workspace.project.folder / "inbox").mkdir()
    for place, batch in enumerate(workspace.spec.batches.calendar().batches()):
        rows = _rows(SMALL, batch.start, place * SMALL, timedelta(minutes=1))
        rows.write_parquet(workspace.project.folder / "inbox" / f"{batch.id}.parquet")
        started = time.perf_counter()
        _take_in(workspace, [batch])
        if place >= length:
            yield time.perf_counter() - started


def _peak(rows: int) -> float:
    """GB that a process of its own takes at most, which ingests so many rows out of one file."""
    command = [sys.executable, "-m", "benchmarks.ingestion", str(rows)]
    told = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(json.loads(told.splitlines()[-1])["peak"])


def _ingest(rows: int) -> None:
    """Ingest one delivered file of so many rows, batch by batch, and print the peak in GB."""
    days = rows // BATCH
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        workspace = _project(Path(folder), days, "all.parquet")
        _deliver_one(workspace.project.folder / "all.parquet", days)
        _take_in(workspace, workspace.spec.batches.calendar().batches())
    print(json.dumps({"peak": _most()}))


def _most() -> float:
    """The most memory that this process ever had, in GB."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
    # Not what `getrusage` says, which begins with what the parent had when it started this process.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def _deliver_one(path: Path, days: int) -> None:
    """Write one file of all days' rows, by a process of its own: its memory is not what is measured."""
    code = f"from benchmarks.ingestion import write; write({str(path)!r}, {days})"
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=True)


def write(path: str, days: int) -> None:
    """Write so many days of rows to a Parquet file, a row group a day."""
    import pyarrow.parquet

    writer = None
    for day in range(days):
        start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=day)
        table = _rows(BATCH, start, day * BATCH, timedelta(milliseconds=400)).to_arrow()
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


def _rows(count: int, start: datetime, first: int, apart: timedelta) -> pl.DataFrame:
    """Real flights as the rows of one day, each with an id of its own."""
    real = _real(count)
    at = pl.Series(np.arange(count) * int(apart.total_seconds() * 1e6)) + int(start.timestamp() * 1e6)
    times = at.cast(pl.Datetime("us", "UTC"))
    return real.select(
        pl.int_range(first, first + count, dtype=pl.Int64).alias("id"),
        times.alias("at"),
        (times + timedelta(hours=3)).alias("known"),
        (pl.col("arr_delay") > 15).alias("late"),
        pl.all(),
    )


@cache
def _real(count: int) -> pl.DataFrame:
    return replicated(count).select(name for name in KINDS if name not in ("id", "at", "known", "late"))


def _project(folder: Path, days: int, path: str) -> Workspace:
    spec = {
        "name": "bench",
        "title": "Bench",
        "objective": {"business": "measure", "learning": "measure"},
        "problem": "binary",
        "batches": {"every": "1d", "start": str(FIRST), "end": str(FIRST + timedelta(days=days))},
        "datasets": {
            "rows": {
                "source": {"kind": "files", "path": path},
                "columns": KINDS,
                "key": ["id"],
                "event_time": "at",
                "known_at": "known",
            }
        },
        "events": "rows",
        "decision": {"before": "at", "lead": "1h"},
        "outcome": {"label": "late", "known_at": "known", "maturity": "1d"},
        "features": {"carrier": {"from": "row", "column": "carrier", "kind": "category"}},
    }
    entries = [{"type": kind, "severity": "warning", "kwargs": kwargs} for kind, kwargs in SUITE]
    suite = {"name": "rows", "version": 1, "expectations": entries}
    for name, document in (("projects/bench/project.yaml", spec), ("suites/bench/rows.yaml", suite)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(yaml.safe_dump(document))
    settings = Settings(home=folder / "home", projects=folder / "projects", suites=folder / "suites")
    return open_workspace("bench", settings)


def _take_in(workspace: Workspace, batches: list[Batch]) -> None:
    as_of = batches[-1].end
    for item in pending(workspace, "rows", batches):
        deliver(workspace, "rows", item, as_of)
    for batch in batches:
        ingest(workspace, "rows", batch, as_of)


if __name__ == "__main__":
    if sys.argv[1:]:
        _ingest(int(sys.argv[1]))
    else:
        sys.exit(report("ingestion", measures()))
