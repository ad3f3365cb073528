"""What a command needs around its flow: an open project, a lock, a backend, a terminal."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module

from filelock import FileLock, Timeout
from rich.console import Console

from core.batches import Batch
from core.errors import PerennialError
from core.settings import Settings
from flows.backend import backend
from flows.progress import shown
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
    settings: Settings, arguments: argparse.Namespace
) -> tuple[Workspace, Batch, datetime, datetime]:
    """The workspace, a batch (the newest by default), when it is over and when its outcomes are in."""
    workspace, as_of = opened(settings, arguments)
    batch = workspace.batch(arguments.batch) if arguments.batch else workspace.batches(as_of)[-1]
    return workspace, batch, batch.end, batch.end + workspace.spec.outcome.maturity


@contextmanager
def running(settings: Settings, workspace: Workspace, batches: list[str]) -> Iterator[None]:
    """A Prefect backend and a Dask cluster for as long, and progress on the terminal."""
    progress = shown(console(), workspace.spec.title, batches)
    with alone(settings, workspace), progress, backend(settings) as server:
        # The server takes seconds to start: the cluster and the imports wait with it, not after it.
        from tasks.fanout import shared_cluster

        with shared_cluster():
            import_module("flows.lifecycle")
            server.wait()
            yield


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
