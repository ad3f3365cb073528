"""The commands behind the make targets: each opens what its flow needs, runs it, and prints the outcome."""

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module

from filelock import FileLock, Timeout
from rich.console import Console

from core.batches import Batch
from core.errors import DeliveryError, PerennialError
from core.settings import Settings
from flows import show
from flows.backend import backend
from flows.progress import shown
from stages.pages import summary
from stages.stale import found_stale
from stages.workspace import Workspace, open_workspace

UI_PORT = 4200
STATE = (
    "lake",
    "matplotlib",
    "models",
    "online.db*",
    "prefect",
    "registry.db*",
    "reports",
    "staging",
    "verdicts",
    "wandb",
    "fit-*",
    "*.lock",
)


def demo(settings: Settings, arguments: argparse.Namespace) -> int:
    """Live through the whole history of a project, and print a line a batch."""
    workspace, as_of = _opened(settings, arguments)
    batches = [batch.id for batch in workspace.batches(as_of)]
    stopped: DeliveryError | None = None
    with _running(settings, workspace, batches):
        from flows.lifecycle import lifecycle

        try:
            lifecycle(workspace.project.name, as_of)
        except DeliveryError as error:
            stopped = error
    show.lifecycle(_console(), summary(workspace, as_of), workspace.reports / "lifecycle" / "index.html")
    if stopped:
        raise stopped
    return 0


def ingest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Ingest batches and build their features."""
    workspace, as_of = _opened(settings, arguments)
    start, end = arguments.batch or arguments.start, arguments.batch or arguments.end
    batches = [batch.id for batch in workspace.batches(as_of, start, end)]
    with _running(settings, workspace, batches):
        from flows.ingest import ingest as flow

        found = flow(workspace.project.name, as_of, start, end)
    show.ingested(_console(), found)
    return 0


def backfill(settings: Settings, arguments: argparse.Namespace) -> int:
    """Ingest an interval anew where it changed, and make again what was made from it."""
    workspace, as_of = _opened(settings, arguments)
    batches = [batch.id for batch in workspace.batches(as_of, arguments.start, arguments.end)]
    with _running(settings, workspace, batches):
        from flows.backfill import backfill as flow

        found = flow(workspace.project.name, as_of, arguments.start, arguments.end)
    show.ingested(_console(), found)
    return 0


def release_quarantine(settings: Settings, arguments: argparse.Namespace) -> int:
    """Let the set-aside rows of a batch meet the present suite."""
    workspace, as_of = _opened(settings, arguments)
    if not arguments.batch:
        raise PerennialError("name the batch whose rows are to be released, such as BATCH=2013-04")
    with _running(settings, workspace, [arguments.batch]):
        from flows.release import release as flow

        found = flow(workspace.project.name, arguments.batch, as_of, arguments.dataset)
    show.ingested(_console(), [found])
    return 0


def suite(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a suite that is proposed from the batches that were ingested, or write it where there is none."""
    from stages.suites import propose_suite

    workspace, as_of = _opened(settings, arguments)
    dataset = arguments.dataset or workspace.spec.events
    batches = workspace.batches(as_of, arguments.start, arguments.end)
    path, is_new = propose_suite(workspace, dataset, batches)
    print(f"{'wrote' if is_new else 'the suite stays as it is; a proposal lies beside it:'} {path}")
    return 0


def data_docs(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write Great Expectations' own site from the verdicts that were kept."""
    from stages.suites import write_data_docs

    workspace = open_workspace(arguments.project, settings)
    print(f"wrote {write_data_docs(workspace)}  (it loads its styles and scripts from the network)")
    return 0


def train(settings: Settings, arguments: argparse.Namespace) -> int:
    """Register challengers fitted on what was known when the outcomes of a batch were in."""
    workspace, batch, _, matured = _at_batch(settings, arguments)
    with _running(settings, workspace, [batch.id]):
        from flows.train import train as flow

        versions = flow(workspace.project.name, matured)
    show.versions(_console(), [workspace.registry.version(version) for version in versions])
    return 0


def score(settings: Settings, arguments: argparse.Namespace) -> int:
    """Score a batch with the champion."""
    workspace, batch, over, _ = _at_batch(settings, arguments)
    with _running(settings, workspace, [batch.id]):
        from flows.score import score as flow

        scored = flow(workspace.project.name, batch.id, over)
    if scored is None:
        raise PerennialError(
            f"{workspace.project.name} has no champion at {over.isoformat()}: train one first"
        )
    print(f"{batch}: {scored.rows:,} rows scored by {scored.version}")
    return 0


def monitor(settings: Settings, arguments: argparse.Namespace) -> int:
    """Judge the predictions of a batch, and say what to do."""
    workspace, batch, _, matured = _at_batch(settings, arguments)
    with _running(settings, workspace, [batch.id]):
        from flows.monitor import monitor as flow

        judged = flow(workspace.project.name, batch.id, matured)
    if judged is None:
        raise PerennialError(f"batch {batch} was not scored: score it first")
    print(f"{batch}: {judged.decision}")
    print("\n".join(f"  {reason}" for reason in judged.reasons))
    return 0


def retrain(settings: Settings, arguments: argparse.Namespace) -> int:
    """Train challengers and let the best meet the champion."""
    workspace, batch, _, matured = _at_batch(settings, arguments)
    with _running(settings, workspace, [batch.id]):
        from flows.retrain import retrain as flow

        report = flow(workspace.project.name, matured)
    show.gate(_console(), report)
    return 0


def rollback(settings: Settings, arguments: argparse.Namespace) -> int:
    """Make an earlier champion the champion again."""
    workspace = open_workspace(arguments.project, settings)
    with _alone(settings, workspace):
        champion = workspace.registry.rollback(
            workspace.project.name,
            to=arguments.version,
            why="rolled back by hand",
            at=datetime.now(UTC),
            by="make rollback",
        )
    print(f"champion: {champion}")
    return 0


def status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say how a project stands."""
    workspace, as_of = _opened(settings, arguments)
    facts, stale = summary(workspace, as_of), found_stale(workspace, as_of)
    if arguments.json:
        print(json.dumps({**facts, "stale": stale}, indent=2))
    else:
        show.status(_console(), facts)
        show.stale(_console(), stale)
    return 0


def clean_state(settings: Settings, arguments: argparse.Namespace) -> int:
    """Remove what Perennial has made in its home, and nothing else that may lie there."""
    for name in STATE:
        for path in settings.home.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any(settings.home.iterdir()):
        settings.home.rmdir()
    print(f"removed the state in {settings.home}")
    return 0


def ui(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve the Prefect UI on the runs of this home, with the deployments, until Ctrl-C."""
    with backend(settings, UI_PORT) as server:
        from prefect import serve

        from flows.deployments import deployments

        server.wait()
        print(f"Prefect UI: {server.url.removesuffix('/api')}  (Ctrl-C stops it)", flush=True)
        serve(*deployments(settings), print_starting_message=False)
    return 0


def _console() -> Console:
    """The terminal; where there is none, lines wide enough for every table."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 110))


def _opened(settings: Settings, arguments: argparse.Namespace) -> tuple[Workspace, datetime]:
    """The workspace, and the instant to stand at: now or, for a history that is over, its end."""
    workspace = open_workspace(arguments.project, settings)
    if arguments.as_of:
        return workspace, arguments.as_of.astimezone(UTC)
    matured = workspace.spec.batches.calendar().batches()[-1].end + workspace.spec.outcome.maturity
    return workspace, min(matured, datetime.now(UTC))


def _at_batch(
    settings: Settings, arguments: argparse.Namespace
) -> tuple[Workspace, Batch, datetime, datetime]:
    """The workspace, a batch (the newest by default), when it is over and when its outcomes are in."""
    workspace, as_of = _opened(settings, arguments)
    batch = workspace.batch(arguments.batch) if arguments.batch else workspace.batches(as_of)[-1]
    return workspace, batch, batch.end, batch.end + workspace.spec.outcome.maturity


@contextmanager
def _running(settings: Settings, workspace: Workspace, batches: list[str]) -> Iterator[None]:
    """A Prefect backend and a Dask cluster for as long, and progress on the terminal."""
    progress = shown(_console(), workspace.spec.title, batches)
    with _alone(settings, workspace), progress, backend(settings) as server:
        # The server takes seconds to start: the cluster and the imports wait with it, not after it.
        from tasks.fanout import shared_cluster

        with shared_cluster():
            import_module("flows.lifecycle")
            server.wait()
            yield


@contextmanager
def _alone(settings: Settings, workspace: Workspace) -> Iterator[None]:
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
