"""What a benchmark prints and leaves behind: measures, with a goal and whether it holds."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure in its unit; `goal` says in words what it must be, `holds` whether it is."""

    measure: str
    value: float
    unit: str
    goal: str = ""
    holds: bool = True


def report(name: str, measures: Sequence[Measure]) -> int:
    """Print the measures and write `results/<name>.json`; the exit code, 1 when a goal is missed."""
    table = Table(title=name, title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal")
    table.add_column("holds")
    for each in measures:
        held = ("yes" if each.holds else "[bold red]no[/]") if each.goal else ""
        table.add_row(
            each.measure,
            f"{each.value:,.0f}" if each.value >= 1_000 else f"{each.value:.4g}",
            each.unit,
            each.goal,
            held,
        )
    Console(width=120).print(table)
    return save(name, measures)


def save(name: str, measures: Sequence[Measure]) -> int:
    """Write `results/<name>.json`; the exit code, 1 when a goal is missed."""
    RESULTS.mkdir(exist_ok=True)
    system, python = f"{platform.system()} {platform.machine()}", platform.python_version()
    machine = f"{system}, {os.cpu_count()} cores, Python {python}"
    facts = {"machine": machine, "measures": [asdict(each) for each in measures]}
    (RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    return int(not all(each.holds for each in measures))
