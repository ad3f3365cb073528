"""What does the point-in-time build of features cost? `python -m benchmarks.features`.

The features of the flights project, month by month, made by the house, by a hand-written Polars
query and in pandas, in turn, from the same prepared tables in memory; the results are the same.
"""

import importlib.util
import io
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import polars as pl
import polars.testing

from benchmarks.measures import Measure, report
from benchmarks.plain_features import in_pandas, in_polars
from core.batches import Batch
from core.prepare import prepare
from core.projects import Project, load
from core.settings import Settings
from core.spec import PackageSource
from core.types import read_as
from features.build import build
from features.made import look_back

RUNS = 5
MONTHS = ("2013-03", "2013-04", "2013-05")


def main() -> int:
    """Measure, and print."""
    return report("features", measures())


def measures(runs: int = RUNS, months: tuple[str, ...] = MONTHS) -> list[Measure]:
    """Medians of `runs` in which each way makes the features of the `months` in turn.

    Raises AssertionError when they do not make the same.
    """
    project = load("flights", Settings())
    prepared = tables(project)
    ways: dict[str, list[float]] = {"house": [], "Polars": [], "pandas": []}
    for _ in range(runs):
        spent = dict.fromkeys(ways, 0.0)
        for batch in map(project.spec.batches.calendar().batch, months):
            made = {}
            for name, way in _ways(project, batch, prepared).items():
                started = time.perf_counter()
                made[name] = way()
                spent[name] += time.perf_counter() - started
            _same(made["house"], made["Polars"], pl.from_pandas(made["pandas"], nan_to_null=True))
        for name, seconds in spent.items():
            ways[name].append(seconds)
    return _measured(ways)


def _measured(ways: Mapping[str, list[float]]) -> list[Measure]:
    def against(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(ways[one], ways[other], strict=True))

    faster, slower = against("pandas", "house"), against("house", "Polars")
    return [
        *(Measure(f"features, {name}", statistics.median(spent), "s") for name, spent in ways.items()),
        Measure("features, pandas against the house", faster, "ratio", "at least 5", faster >= 5),
        Measure("features, the house against Polars", slower, "ratio", "at most 1.5", slower <= 1.5),
    ]


def _ways(
    project: Project, batch: Batch, tables: Mapping[str, pl.DataFrame]
) -> dict[str, Callable[[], pl.DataFrame | pd.DataFrame]]:
    """What makes the batch's features, from tables as each way likes them."""
    spec = project.spec
    back = look_back(spec, spec.events)
    assert back is not None
    scheduled = pl.col("scheduled_departure").is_between(batch.start - back, batch.end, closed="left")
    events = tables[spec.events].filter(scheduled)
    others = {name: table for name, table in tables.items() if name != spec.events}
    lazy = {name: table.lazy() for name, table in others.items()}
    frames, rows = {name: table.to_pandas() for name, table in others.items()}, events.to_pandas()
    return {
        "house": lambda: build(spec, batch, events.lazy(), lazy, project.functions),
        "Polars": lambda: in_polars(events.lazy(), lazy, batch.start, batch.end),
        "pandas": lambda: in_pandas(rows, frames, batch.start, batch.end),
    }


def _same(house: pl.DataFrame, *others: pl.DataFrame) -> None:
    for other in others:
        pl.testing.assert_frame_equal(house, other.select(house.columns).cast(house.schema), check_exact=True)


def tables(project: Project) -> dict[str, pl.DataFrame]:
    """The project's datasets as typed and prepared tables, straight from the package's files."""
    found: dict[str, pl.DataFrame] = {}
    for name in sorted(project.spec.datasets, key=lambda each: each == project.spec.events):
        rules = project.spec.datasets[name]
        source = rules.source
        assert isinstance(source, PackageSource)
        package = importlib.util.find_spec(source.package)
        assert package is not None and package.submodule_search_locations
        content = (Path(package.submodule_search_locations[0]) / source.file).read_bytes()
        if source.file.endswith(".zip"):
            content = zipfile.ZipFile(io.BytesIO(content)).read(Path(source.file).stem)
        raw = pl.read_csv(content, infer_schema=False, null_values=list(source.nulls))
        typed = raw.select(read_as(column, pl.String(), kind) for column, kind in rules.columns.items())
        others = {other: table.lazy() for other, table in found.items()}
        found[name] = prepare(project, name, typed.with_row_index("row"), others)
    return found


if __name__ == "__main__":
    sys.exit(main())
