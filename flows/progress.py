"""What a person sees while a lifecycle runs: each batch, and the stages that it has been through.

Or, while a replay does, each policy and how far it is.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

STAGES = ("ingest", "features", "score", "monitor", "retrain")


class Board:
    """A line a batch, a column a stage; a console that is no terminal gets a line of text a mark."""

    def __init__(
        self, console: Console, title: str, batches: Sequence[str], stages: Sequence[str] = STAGES
    ) -> None:
        self._console = console
        self._title = title
        self._stages = stages
        self._what = "batch" if batches or stages == STAGES else "policy"
        self._marks: dict[str, dict[str, str]] = {batch: {} for batch in batches}
        self._now = "starting the Prefect server and the Dask cluster"
        self._since = time.monotonic()

    def mark(self, batch: str, stage: str, text: str) -> None:
        """Say that a batch has been through a stage, and with what."""
        self.note(batch, stage, text)
        if not self._console.is_terminal:
            self._console.print(f"{batch} {stage}: {text}", highlight=False)

    def note(self, batch: str, stage: str, text: str) -> None:
        """The same where it is only worth a look: it gets no line of text."""
        self._marks.setdefault(batch, {})[stage] = text

    def now(self, text: str) -> None:
        """Say what is being done."""
        self._now, self._since = text, time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"{text} ...", highlight=False)

    def __rich__(self) -> Table:
        table = Table(title=self._title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.caption = f"{self._now} ... {time.monotonic() - self._since:.0f} s"
        table.caption_justify = "left"
        table.add_column(self._what)
        for stage in self._stages:
            table.add_column(stage)
        for batch, marks in self._marks.items():
            table.add_row(batch, *(marks.get(stage, "") for stage in self._stages))
        return table


_board: ContextVar[Board | None] = ContextVar("board", default=None)


@contextmanager
def shown(
    console: Console, title: str, batches: Sequence[str], stages: Sequence[str] = STAGES
) -> Iterator[None]:
    """Show the progress of the flows that run inside; it is gone from a terminal when they are done."""
    board = Board(console, title, batches, stages)
    token = _board.set(board)
    try:
        with (
            Live(board, console=console, transient=True, refresh_per_second=4)
            if console.is_terminal
            else nullcontext()
        ):
            yield
    finally:
        _board.reset(token)


def mark(batch: str, stage: str, text: str) -> None:
    """Say that a batch has been through a stage, if somebody looks."""
    if board := _board.get():
        board.mark(batch, stage, text)


def note(batch: str, stage: str, text: str) -> None:
    """The same where it is only worth a look."""
    if board := _board.get():
        board.note(batch, stage, text)


def now(text: str) -> None:
    """Say what is being done, if somebody looks."""
    if board := _board.get():
        board.now(text)
