"""Is each project's champion worth having, and what does it take? `make bench-projects`.

Each demo runs in a fresh home; then the champions of its batches meet the baselines of the project's
`benchmark.py` on the same rows (`benchmarks/baselines.py` says what those may be).
"""

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import catalogue
from benchmarks.baselines import Benchmark, benchmark
from benchmarks.measures import Measure, save
from benchmarks.meeting import meeting
from benchmarks.runs import run
from benchmarks.told import by_batch, figures, measures, overall
from core.errors import PerennialError
from core.projects import load, names
from core.settings import Settings
from stages.workspace import open_workspace

SECONDS, GIGABYTES = 300, 3


def main() -> int:
    """Run and compare the projects that are named, by default all, and print."""
    console, found = Console(width=140), list[Measure]()
    try:
        wanted = sys.argv[1:] or names(Settings())
        # A benchmark that cannot be used is told before the first demo runs.
        benchmarks = {name: benchmark(load(name, Settings())) for name in wanted}
        for name, against in benchmarks.items():
            found += measured(name, against, console)
            save("projects", found)
    except PerennialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return save("projects", found)


def measured(name: str, against: Benchmark, console: Console) -> list[Measure]:
    """Run a project's demo in a home of its own, compare, and print."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        spent = run("flows", ["demo", "--project", name], Path(folder))
        workspace = open_workspace(name, Settings(home=Path(folder)))
        met = (catalogue.meeting if workspace.spec.candidates else meeting)(workspace, against)
    whole = figures(met, against)
    batches = {batch: figures(part, against) for batch, part in met.by_batch()}
    console.print(f"\n[bold]{name}[/]: {spent.seconds:.0f} s, {spent.gigabytes:.2f} GB")
    console.print(overall(whole), by_batch(batches, whole.strongest))
    quick, small = spent.seconds < SECONDS, spent.gigabytes < GIGABYTES
    return [
        Measure(f"{name}: demo, wall time", spent.seconds, "s", f"under {SECONDS}", quick),
        Measure(
            f"{name}: demo, peak memory of a process", spent.gigabytes, "GB", f"under {GIGABYTES}", small
        ),
        *measures(name, whole, batches),
    ]


if __name__ == "__main__":
    sys.exit(main())
