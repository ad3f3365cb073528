"""The command behind `make housekeeping`: it runs the flow, and prints what was removed and kept."""

import argparse

from rich import box
from rich.console import Console
from rich.table import Table

from core.settings import Settings
from flows.running import console, opened, running
from stages.housekeeping.housekept import Housekept, Unfinished


def housekeeping(settings: Settings, arguments: argparse.Namespace) -> int:
    """Put away what is out of use, and print what was removed and kept."""
    workspace, as_of = opened(settings, arguments)
    fault: Unfinished | None = None
    with running(settings, workspace, []):
        from flows.housekeeping import housekeeping as flow

        try:
            found = flow(workspace.project.name, as_of)
        except Unfinished as error:
            fault, found = error, error.found
    _show(console(), found)
    if fault:
        raise fault
    return 0


def _show(console: Console, found: Housekept) -> None:
    rows = found.told()
    if not rows:
        console.print("there is nothing to be put away", highlight=False)
        return
    title = f"{found.project} at {found.as_of:%Y-%m-%d}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in rows[0]:
        is_count = heading in ("rows", "files", "MB")
        table.add_column(heading, justify="right" if is_count else "left", overflow="fold", no_wrap=is_count)
    for row in rows:
        table.add_row(*row.values())
    console.print(table)
