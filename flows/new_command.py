"""The command `new`: propose a project from a table, and say what was found."""

import argparse
import os
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from core.errors import SpecError
from core.learning import ProblemKind
from core.settings import Settings
from core.words import nearest
from proposal.ask import Ask
from proposal.plan import Plan
from stages.proposal.new import Written, propose_project

USAGE = "make new NAME=churn DATA=orders.csv LABEL=churned TIME=signup_at [KEY=customer_id] [PROBLEM=binary]"
_LEFT = 12


def new(settings: Settings, arguments: argparse.Namespace) -> int:
    """Propose a project from a table; print what was found, and what a person has to decide."""
    written = propose_project(_asked(arguments), settings, Path(os.getcwd()))
    console = Console()
    show(console if console.is_terminal else Console(width=max(console.width, 110)), written)
    return 0


def _asked(arguments: argparse.Namespace) -> Ask:
    missing = [name for name in ("name", "data", "label") if not getattr(arguments, name)]
    if missing:
        raise SpecError(f"say {', '.join(f'{name.upper()}=…' for name in missing)}: {USAGE}")
    problem = arguments.problem or None
    if problem and problem not in get_args(ProblemKind):
        raise SpecError(f"PROBLEM={problem}: no such problem{nearest(problem, get_args(ProblemKind))}")
    data = f"{arguments.data}#{arguments.table}" if arguments.table else arguments.data
    key, group = (_columns(getattr(arguments, name)) for name in ("key", "group"))
    return Ask(arguments.name, data, arguments.label, arguments.time or None, key, problem, group)


def _columns(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (text or "").split(",")))


def show(console: Console, written: Written) -> None:
    """What was found, what is to be decided, and what to do next."""
    console.print(_found(written.plan, written))
    if written.decisions:
        console.print("[bold]For you to decide[/], with the line to change:", highlight=False)
        for path, line, text in written.decisions:
            console.print(f"  [bold]{escape(_near(path))}:{line}[/]", highlight=False, soft_wrap=True)
            console.print(Padding(escape(text), (0, 0, 0, 4)), highlight=False)
    else:
        console.print("Nothing has to be decided before it runs.", highlight=False)
    name = written.plan.ask.name
    console.print(
        f"\nwrote  {_near(written.folder)}/  {_near(written.suite)}", highlight=False, soft_wrap=True
    )
    console.print(f"next   make demo PROJECT={name}", highlight=False)


def _found(plan: Plan, written: Written) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _facts(plan, written):
        table.add_row(name, escape(text))
    return table


def _facts(plan: Plan, written: Written) -> list[tuple[str, str]]:
    label, cut = plan.label, plan.batches
    rate = f", true in {label.base_rate:.2%}" if label.base_rate is not None else ""
    rows = f"{min(cut.rows):,} to {max(cut.rows):,} rows each"
    every = f"every {cut.counted:,} rows" if cut.counted else f"every {cut.every}"
    suspects = [each.column for each in plan.features.left if each.feature]
    others = [each.column for each in plan.features.left if not each.feature] + list(plan.table.unusable)
    when = (
        f"; known at {plan.known.column!r}"
        if plan.known.after is None
        else f"; known {plan.known.after} after the event (a guess)"
        if plan.time
        else ""
    )
    malformed = f", {plan.table.malformed:,} of them of a wrong length" if plan.table.malformed else ""
    facts = [
        (
            "table",
            f"{plan.table.count:,} rows{malformed}, {len(plan.table.columns):,} columns;"
            f" {plan.table.source.described}",
        ),
        ("problem", f"{label.problem}: {label.why}"),
        ("label", f"{label.name!r}, known of {label.labelled:,} rows{rate}{when}"),
        (
            "time",
            f"{plan.time.column!r}"
            if plan.time
            else "NONE: the order of the rows stands for it, drift is off",
        ),
        ("key", f"{', '.join(plan.key.columns)}: {plan.key.why}"),
        ("batches", f"{len(cut.rows)}, {every}, {rows}; the first fit after {cut.first}"),
        ("features", f"{len(plan.features.proposed)}"),
        ("left out", _listed(others) or "nothing"),
        ("suspected leaks", _listed(suspects) or "none"),
        ("rehearsal", written.rehearsal.told),
    ]
    if plan.features.strong:
        much = ", ".join(f"{name} {strength:.3f}" for name, strength in plan.features.strong[:5])
        facts.insert(-1, ("tell much", f"{much}: known in time?"))
    return facts


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LEFT} more" if len(names) > _LEFT else ""
    return ", ".join(names[:_LEFT]) + more


def _near(path: Path) -> str:
    """A path as it is told from where the command was called."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
