"""What does orchestration cost, and is the champion worth it? `make bench-loop`.

The demo and the same work as a plain script run in turn, each in a fresh home; then the champions
of the demo are compared, month by month, with a plain LightGBM and with the linear baseline.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import pandas as pd
import polars as pl

from benchmarks.measures import Measure, report
from benchmarks.runs import run
from core.settings import Settings
from models.measures.probabilities import auc
from models.registry.versions import Version
from models.rows import columns
from stages.features.featurise import labelled
from stages.score import served
from stages.workspace import Workspace, open_workspace

RUNS = 3


def main() -> int:
    """Run both, compare, and print."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        flows: list[float] = []
        plain: list[float] = []
        peaks: list[float] = []
        for turn in range(RUNS):
            for module, seconds in (("flows", flows), ("benchmarks.plain_loop", plain)):
                arguments = ["demo"] if module == "flows" else []
                spent = run(module, arguments, Path(folder) / f"{module}-{turn}")
                seconds.append(spent.seconds)
                if module == "flows":
                    peaks.append(spent.gigabytes)
                print(f"{module}: {spent.seconds:.1f} s", flush=True)
        quality = list(_quality(open_workspace("flights", Settings(home=Path(folder) / "flows-0"))))
    return report("loop", [*_cost(flows, plain, peaks), *quality])


def _cost(flows: list[float], plain: list[float], peaks: list[float]) -> list[Measure]:
    wall, peak = statistics.median(flows), max(peaks)
    ratio = statistics.median(one / other for one, other in zip(flows, plain, strict=True))
    return [
        Measure("demo, wall time", wall, "s", "under 300", wall < 300),
        Measure("plain script, wall time", statistics.median(plain), "s"),
        Measure("demo against plain script", ratio, "ratio", "at most 1.4", ratio <= 1.4),
        Measure("peak memory of a process", peak, "GB", "under 3", peak < 3),
    ]


def _quality(workspace: Workspace) -> Iterator[Measure]:
    """AUC by month: the champion, a plain LightGBM on the champion's rows, the linear baseline."""
    as_of = workspace.spec.batches.calendar().batches()[-1].end + workspace.spec.outcome.maturity
    rows = labelled(workspace, as_of)
    found: dict[str, list[float]] = {"champion": [], "plain LightGBM": [], "linear baseline": []}
    plain: dict[str, lightgbm.LGBMClassifier] = {}
    for batch, facts in workspace.ledger.results("score").items():
        version = workspace.registry.version(facts["version"])
        if version.id not in plain:
            plain[version.id] = _plain(workspace, version)
        month = rows.filter(pl.col("batch") == batch)
        answers = {
            "champion": served(workspace, version).predict(month),
            "plain LightGBM": plain[version.id].predict_proba(_frame(workspace, month))[:, 1],
            "linear baseline": served(workspace, _linear_beside(workspace, version)).predict(month),
        }
        for name, answer in answers.items():
            found[name].append(float(auc(month["label"].to_numpy(), answer)))
            yield Measure(f"{batch} AUC, {name}", found[name][-1], "AUC")
    means = {name: statistics.mean(values) for name, values in found.items()}
    for name, mean in means.items():
        goal = "" if name == "champion" else "at most the champion's"
        yield Measure(f"mean AUC, {name}", mean, "AUC", goal, mean <= means["champion"])


def _plain(workspace: Workspace, version: Version) -> lightgbm.LGBMClassifier:
    """LightGBM with its default parameters, on all rows that the version was fitted or stopped on."""
    seen = pl.col("event_time") < version.lineage.trained_until
    rows = labelled(workspace, version.lineage.as_of).filter(seen)
    model = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1)
    return model.fit(_frame(workspace, rows), rows["label"].to_numpy())


def _frame(workspace: Workspace, rows: pl.DataFrame) -> pd.DataFrame:
    """The features as LightGBM takes them by itself: categories with the same codes in every month."""
    taken = columns(workspace.spec)
    known = {
        name: workspace.lake.scan("features")
        .select(pl.col(name).unique().sort().drop_nulls())
        .collect()[name]
        for name in taken.categories
    }
    frame = rows.select(taken.names).to_pandas()
    return frame.assign(
        **{name: pd.Categorical(frame[name], values.to_list()) for name, values in known.items()}
    )


def _linear_beside(workspace: Workspace, version: Version) -> Version:
    """The linear version that was fitted at the same time."""
    every = workspace.registry.versions(workspace.project.name)
    return next(
        each for each in every if each.family == "linear" and each.lineage.as_of == version.lineage.as_of
    )


if __name__ == "__main__":
    sys.exit(main())
