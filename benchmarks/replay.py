"""What does a replay of all policies cost, against its most expensive policy alone? `make bench-replay`.

The year of flights, in monthly batches and as if it came in weekly ones. All policies and then the one of
them whose fits took longest run as whole processes, in homes that are copies of one in which the year was
ingested; weekly batches are taken in anew by both. It takes an hour and a half on two cores.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measures import Measure, report
from core.errors import PerennialError
from core.settings import CHECKOUT
from replay.policies import ALL, NEVER, ORACLE

# How the year is cut: as the project does, and in weeks, of which the first training has as many days.
WORLDS: Mapping[str, str | None] = {
    "monthly": None,
    "weekly": "{batches: {every: 1w}, training: {first_batches: 13}}",
}
_LEFT = re.compile(r"(less than a|about ([0-9.]+)) (minute|hour)s? left")
_SECONDS = {"minute": 60.0, "hour": 3_600.0}


@dataclass(frozen=True, slots=True)
class Spent:
    """What a replay took: seconds of wall time and of CPU, and by when how many more were expected."""

    wall: float
    cpu: float
    expected: tuple[tuple[float, float], ...]
    facts: Mapping[str, Any]

    @property
    def orchestration(self) -> float:
        """The share of the workers' time in which they did none of the replay's work, for whatever reason."""
        worked: float = self.facts["work_seconds"] / (self.facts["wall_seconds"] * self.facts["workers"])
        return 1 - worked

    def off_by(self) -> Iterator[float]:
        """By which factor each estimate of the time left was off, once a tenth had passed, to either side."""
        for at, left in self.expected:
            truth = self.wall - at
            if at > self.wall / 10 and truth > 60:
                yield max(left / truth, truth / left)


def main() -> int:
    """Replay both cuts of the year, all policies and the most expensive one alone, and compare."""
    wanted = sys.argv[1:] or list(WORLDS)
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        for name in wanted:
            measures += _world(name, Path(folder))
    return report("replay", measures)


def _world(name: str, folder: Path) -> list[Measure]:
    base = folder / "base"
    if not base.exists():
        _run(["ingest"], base)
    every = _replayed(name, None, shutil.copytree(base, folder / f"{name}-all"))
    dearest = max(every.facts["policies"], key=lambda policy: policy["training_seconds"])["name"]
    alone = _replayed(name, f"{dearest};{NEVER}", shutil.copytree(base, folder / f"{name}-alone"))
    wall, cpu = every.wall / alone.wall, every.cpu / alone.cpu
    count = sum(policy["name"] != ORACLE for policy in every.facts["policies"])
    off = statistics.median([*every.off_by()] or [float("nan")])
    return [
        Measure(f"{name}, {count} policies, wall time", every.wall, "s"),
        Measure(f"{name}, {dearest} alone, wall time", alone.wall, "s"),
        Measure(f"{name}, all against one, wall time", wall, "ratio", "at most 3", wall <= 3),
        Measure(f"{name}, all against one, CPU time", cpu, "ratio", "at most 3", cpu <= 3),
        Measure(
            f"{name}, time of workers without work",
            every.orchestration,
            "share",
            "at most 0.15",
            every.orchestration <= 0.15,
        ),
        Measure(f"{name}, estimates of the time left, off by (median)", off, "factor"),
    ]


def _replayed(world: str, policies: str | None, home: Path) -> Spent:
    changes = WORLDS[world]
    command = ["replay"] if changes is None else ["what-if", "--change", changes, "--name", world]
    if changes is not None and policies is None:
        policies = ALL
    found = _run([*command, *(["--policy", policies] if policies else [])], home)
    path = home / "reports" / "flights" / (f"replay-{world}" if changes else "replay") / "summary.json"
    spent = Spent(found.wall, found.cpu, found.expected, json.loads(path.read_text()))
    print(f"{world}, {policies or ALL}: {spent.wall:,.0f} s, {spent.cpu:,.0f} s of CPU", flush=True)
    return spent


def _run(arguments: list[str], home: Path) -> Spent:
    """Run a command of ours on a home, and note what it says of the time left; PerennialError if it fails."""
    started, expected = time.monotonic(), list[tuple[float, float]]()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", *arguments, "--project", "flights"],
        cwd=CHECKOUT,
        env={**os.environ, "PERENNIAL_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if found := _LEFT.search(line):
            expected.append((time.monotonic() - started, float(found[2] or 0.5) * _SECONDS[found[3]]))
    # Popen's own wait would not tell what the process and its children have used.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PerennialError(f"python -m flows {' '.join(arguments)} ended with {process.returncode}")
    return Spent(time.monotonic() - started, used.ru_utime + used.ru_stime, tuple(expected), {})


if __name__ == "__main__":
    sys.exit(main())
