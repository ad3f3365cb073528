"""What does one ONNX file cost and save? `make bench-models`.

Each family is fitted on real flights and exported; the file that would serve meets the fitted model
itself: the same rows in, the same answers out, one thread each (POLARS_MAX_THREADS=1), by turns.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.features import tables
from benchmarks.measures import Measure, report
from core.batches import Batch
from core.projects import Project, load
from core.settings import Settings
from features.build import build
from features.outcomes import outcomes
from models.fit import Fit, fit
from models.onnx.export import best, export
from models.runtime.model import Model
from models.runtime.session import session
from models.split import Split, split

FAMILIES = ("linear", "lightgbm", "torch")
MONTHS = ("2013-01", "2013-02", "2013-03")
RUNS, SINGLES, ROWS = 9, 1000, 20_000


def main() -> int:
    """Measure, and print."""
    return report("models", measures())


def measures(
    families: Sequence[str] = FAMILIES, months: Sequence[str] = MONTHS, runs: int = RUNS
) -> list[Measure]:
    """Medians of `runs` for each family, in bulk and for one row."""
    torch.set_num_threads(1)
    project = load("flights", Settings())
    parts = _parts(project, [project.spec.batches.calendar().batch(month) for month in months])
    found = []
    for family in families:
        fitted = fit(family, parts, project.spec, lambda step, losses: None)
        with tempfile.TemporaryDirectory() as folder:
            variants = export(fitted, parts, project.spec, Path(folder))
            serves = best(variants, project.spec.constraints)
            content = serves.path.read_bytes()
        name = f"{family} as {serves.name}"
        found += [
            *_bulk(name, fitted, Model(content, name), parts, runs),
            *_single(name, content, parts, runs),
        ]
    return found


def _bulk(name: str, fitted: Fit, model: Model, parts: Split, runs: int) -> Iterator[Measure]:
    """A frame in, answers out: by the file, and by the fitted model with its preprocessing."""
    frame = pl.concat([part.frame for part in (parts.train, parts.validation, parts.holdout)]).tail(ROWS)
    if name.endswith("float32"):
        np.testing.assert_allclose(model.predict(frame), fitted.answers(frame), atol=1e-5)
    ways: list[Callable[[], Any]] = [
        lambda: fitted.answers(frame),
        lambda: model.predict(frame),
        lambda: model.feed(frame),
    ]
    native, served, fed = _by_turns(ways, runs, time.process_time)
    ratio = float(np.median(native / served))
    yield Measure(f"{name}, native in bulk", frame.height / float(np.median(native)), "rows/s")
    yield Measure(f"{name}, file in bulk", frame.height / float(np.median(served)), "rows/s")
    yield Measure(f"{name}, file against native", ratio, "ratio", "at least 2", ratio >= 2)
    whole = float(np.median(fed / served))
    yield Measure(f"{name}, all texts as inputs, against all of bulk", whole, "ratio")


def _single(name: str, content: bytes, parts: Split, runs: int) -> Iterator[Measure]:
    """One row: through `Model`, against a bare session on the same graph; then from a frame, and a dict."""
    model, bare = Model(content, name), session(content, name)
    row = parts.holdout.frame.select(model.columns.names).head(1)
    feed, values = model.feed(row), row.to_dicts()[0]
    ways: list[Callable[[], Any]] = [
        lambda: bare.run(None, feed),
        lambda: model.run(feed),
        lambda: model.predict(row),
        lambda: model.predict(pl.DataFrame([values], schema=row.schema)),
    ]
    blocks = [_by_turns(ways, SINGLES, time.perf_counter) for _ in range(runs)]
    slowest = np.percentile(blocks, 99, axis=2)
    ratio = float(np.median(slowest[:, 1] / slowest[:, 0]))
    yield Measure(f"{name}, p99 of a row against a bare session", ratio, "ratio", "at most 1.5", ratio <= 1.5)
    for place, way in enumerate(("bare session", "prepared", "from a frame", "from a dict")):
        yield Measure(f"{name}, p99 of a row, {way}", float(np.median(slowest[:, place])) * 1e6, "µs")


def _by_turns(
    ways: Sequence[Callable[[], Any]], runs: int, clock: Callable[[], float]
) -> NDArray[np.float64]:
    """The seconds of each way and run [ways, runs]; those of the processor leave other processes out."""
    spent = np.empty((len(ways), runs))
    for run in range(runs):
        for place, way in enumerate(ways):
            started = clock()
            way()
            spent[place, run] = clock() - started
    return spent


def _parts(project: Project, batches: Sequence[Batch]) -> Split:
    """The labelled feature rows of the batches, straight from the package's files, in three parts."""
    spec, prepared = project.spec, tables(project)
    lazy = {name: table.lazy() for name, table in prepared.items()}
    events = lazy.pop(spec.events)
    built = [build(spec, batch, events, lazy, project.functions) for batch in batches]
    labels = outcomes(spec, events).drop("event_time").collect()
    rows = pl.concat(built).join(labels, on=list(spec.datasets[spec.events].key), how="inner")
    return split(rows, spec, batches[-1].end)


if __name__ == "__main__":
    sys.exit(main())
