"""What a command needs around its flow: an open project, a lock, a backend, a terminal."""

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module

from filelock import FileLock, Timeout
from rich.console import Console
from sqlalchemy.exc import DatabaseError

from core.batches import Batch
from core.errors import PerennialError, SpecError
from core.settings import Settings
from flows.backend import backend
from flows.progress import STAGES, shown
from stages.workspace import Workspace, open_workspace


def console() -> Console:
    """The terminal; where there is none, lines wide enough for every table."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 110))


def opened(settings: Settings, arguments: argparse.Namespace) -> tuple[Workspace, datetime]:
    """The workspace, and the instant to stand at: now or, for a history that is over, its end."""
    workspace = open_workspace(arguments.project, settings)
    if arguments.as_of:
        return workspace, arguments.as_of.astimezone(UTC)
    matured = workspace.spec.batches.calendar().batches()[-1].end + workspace.spec.outcome.maturity
    return workspace, min(matured, datetime.now(UTC))


def at_batch(
    settings: Settings, arguments: argparse.Namespace, *, with_outcomes: bool
) -> tuple[Workspace, Batch, datetime]:
    """The workspace, a batch, and when it is over or, `with_outcomes`, when those of it are in.

    By default it is the newest batch of which that is past. Raises SpecError when it is not past yet.
    """
    workspace, as_of = opened(settings, arguments)
    maturity = workspace.spec.outcome.maturity if with_outcomes else timedelta()
    if arguments.batch:
        batch = workspace.batches(as_of, arguments.batch, arguments.batch)[0]
        if batch.end + maturity > as_of:
            raise SpecError(
                f"the outcomes of batch {batch} are in at {(batch.end + maturity).isoformat()},"
                f" after as_of {as_of.isoformat()}: wait for them"
            )
    else:
        past = [each for each in workspace.batches(as_of) if each.end + maturity <= as_of]
        if not past:
            what = "has its outcomes in" if with_outcomes else "is over"
            raise SpecError(f"no batch of {workspace.project.name} {what} at {as_of.isoformat()}")
        batch = past[-1]
    return workspace, batch, batch.end + maturity


@contextmanager
def running(
    settings: Settings, workspace: Workspace, batches: Sequence[str], stages: Sequence[str] = STAGES
) -> Iterator[None]:
    """A Prefect backend and a Dask cluster for as long, and progress on the terminal."""
    progress = shown(console(), workspace.spec.title, batches, stages)
    with alone(settings, workspace), progress, backend(settings) as server:
        # The server takes seconds to start: the cluster and the imports wait with it, not after it.
        from tasks.fanout import shared_cluster

        with shared_cluster():
            import_module("flows.lifecycle")
            hush()
            server.wait()
            yield


def hush() -> None:
    """What a command says in its last line, Prefect need not say with a stack trace."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    told = PerennialError, OSError, DatabaseError
    return not (record.exc_info and isinstance(record.exc_info[1], told))


@contextmanager
def alone(settings: Settings, workspace: Workspace) -> Iterator[None]:
    """Hold the project's lock: two lifecycles of one project would promote against each other."""
    lock = FileLock(settings.home / f"{workspace.project.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        name = workspace.project.name
        raise PerennialError(
            f"another command is at work on {name} in {settings.home}: wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()
