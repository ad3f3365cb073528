"""What does a look for drift cost? `python -m benchmarks.monitor`.

A million rows of twenty columns, beside Evidently on the same rows in the same run; a window of a
hundred batches, from their profiles alone; and the memory that profiling takes as a batch grows.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measures import Measure, report
from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import drift_of
from monitoring.drift.reference import reference_of
from monitoring.profiles.profile import from_table, over, to_table
from monitoring.profiles.profiling import profile

ROWS, BATCHES, RUNS = 1_000_000, 100, 3
COLUMNS = Columns(
    tuple(f"number_{place}" for place in range(10)), tuple(f"category_{place}" for place in range(10))
)
# Both measure the same distance of the same rows; of numbers sketches know ranks within 1 / 2,048 each.
TOLERANCE = 0.005


def main() -> int:
    """Measure, and print."""
    return report("monitor", [*against_evidently(), *window(), *memory()])


def rows(count: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """Ten numbers and ten categories, as skewed as those of real tables; half of them shifted."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for place, name in enumerate(COLUMNS.numbers):
        moved = shift * (place % 2)
        values = (
            random.lognormal(moved, 0.5 + place / 10, count),
            np.where(random.random(count) < 0.7, 0.0, random.exponential(1 + moved, count)),
            random.normal(moved, 1 + place, count),
            np.round(random.gamma(2, 20 * (1 + moved), count)),
        )[place % 4]
        made[name] = np.where(random.random(count) < 0.02, np.nan, values)
    for place, name in enumerate(COLUMNS.categories):
        levels = (3, 16, 105, 900, 4_000)[place % 5]
        weights = 1 / np.arange(1, levels + 1) ** (1.1 - shift * (place % 2))
        names = np.array([f"value {level}" for level in range(levels)], dtype=object)
        made[name] = names[random.choice(levels, count, p=weights / weights.sum())]
    return pl.DataFrame(made, schema_overrides=dict.fromkeys(COLUMNS.categories, pl.String)).fill_nan(None)


def against_evidently(count: int = ROWS, runs: int = RUNS) -> list[Measure]:
    """Medians of `runs` of the house and of Evidently in turn, each from its own frame in memory."""
    before, now = rows(count, 1), rows(count, 2, 0.2)
    reference, rules = reference_of(before, COLUMNS), Monitoring()
    theirs = _evidently(before, now)
    spent: dict[str, list[float]] = {"house": [], "house, the reference too": [], "Evidently": []}
    ours = expected = {}
    for _ in range(runs):
        seconds, found = _timed(lambda: drift_of(reference, profile(now, COLUMNS), rules))
        spent["house"].append(seconds)
        seconds, _ = _timed(lambda: drift_of(reference_of(before, COLUMNS), profile(now, COLUMNS), rules))
        spent["house, the reference too"].append(seconds)
        seconds, expected = _timed(theirs)
        spent["Evidently"].append(seconds)
        ours = {each.feature: each.distance for each in found}
    apart = max(abs(ours[name] - expected[name]) for name in COLUMNS.names)
    ratio, whole = (
        statistics.median(a / b for a, b in zip(spent["Evidently"], spent[name], strict=True))
        for name in ("house", "house, the reference too")
    )
    return [
        *(
            Measure(f"drift of {count:,} rows x 20, {name}", statistics.median(each), "s")
            for name, each in spent.items()
        ),
        Measure("drift, Evidently against the house", ratio, "ratio", "at least 10", ratio >= 10),
        Measure("the same, with the reference profiled anew", whole, "ratio"),
        Measure("largest difference of a distance", apart, "", f"at most {TOLERANCE}", apart <= TOLERANCE),
    ]


def window(batches: int = BATCHES, each: int = 20_000) -> list[Measure]:
    """From the table of profiles as it lies on the disk to the drift of each column."""
    reference, rules = reference_of(rows(100_000, 1), COLUMNS), Monitoring()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profiles.parquet"
        pl.concat(
            to_table(profile(rows(each, place), COLUMNS)).with_columns(batch=pl.lit(f"{place:03}"))
            for place in range(batches)
        ).write_parquet(path)

        def look() -> object:
            return drift_of(reference, over(pl.read_parquet(path), "profiles"), rules)

        seconds = statistics.median(_timed(look)[0] for _ in range(RUNS))
        one = pl.scan_parquet(path).filter(pl.col("batch") == "000").collect()
        single, _ = _timed(lambda: drift_of(reference, from_table(one, "profiles"), rules))
    return [
        Measure(f"drift over {batches} merged batches", seconds, "s", "under 1", seconds < 1),
        Measure("drift of one profiled batch", single, "s"),
    ]


def memory(sizes: tuple[int, int] = (ROWS, 4 * ROWS)) -> list[Measure]:
    """The peak of a process that profiles a file, beyond what it takes to profile a thousand rows."""
    with tempfile.TemporaryDirectory() as folder:
        least = _peak(Path(folder), 1_000)
        peaks = [_peak(Path(folder), size) - least for size in sizes]
    growth = peaks[1] / peaks[0]
    told = [
        Measure(f"memory to profile {size:,} rows", peak, "MB")
        for size, peak in zip(sizes, peaks, strict=True)
    ]
    return [*told, Measure("memory, four times the rows", growth, "ratio", "at most 1.3", growth <= 1.3)]


def _peak(folder: Path, size: int) -> float:
    path, piece = folder / f"{size}.parquet", 250_000
    parts = [rows(min(piece, size), seed) for seed in range(max(1, size // piece))]
    pl.concat(parts).write_parquet(path, row_group_size=100_000)
    code = (
        "import re, sys, polars as pl; from benchmarks.monitor import COLUMNS, profile; "
        "profile(pl.scan_parquet(sys.argv[1]), COLUMNS); "
        # Not `ru_maxrss`, in which a child begins with what its parent held.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    return float(ran.stdout) / 1024


def _evidently(before: pl.DataFrame, now: pl.DataFrame) -> Callable[[], dict[str, float]]:
    """Its Wasserstein and Jensen-Shannon distances, from datasets that are ready."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    definition = DataDefinition(
        numerical_columns=list(COLUMNS.numbers), categorical_columns=list(COLUMNS.categories)
    )
    reference, current = (
        Dataset.from_pandas(frame.to_pandas(), data_definition=definition) for frame in (before, now)
    )

    def run() -> dict[str, float]:
        measures = [
            *(ValueDrift(column=name, method="wasserstein") for name in COLUMNS.numbers),
            *(ValueDrift(column=name, method="jensenshannon") for name in COLUMNS.categories),
        ]
        found = Report(measures).run(current, reference).dict()["metrics"]
        return {each["config"]["column"]: float(each["value"]) for each in found}

    return run


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


if __name__ == "__main__":
    sys.exit(main())
