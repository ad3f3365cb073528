"""The commands behind the make targets: each opens what its flow needs, runs it, and prints the outcome."""

import argparse
import json
import shutil

from core.errors import DeliveryError, PerennialError
from core.settings import CHECKOUT, Settings
from flows import show
from flows.backend import backend
from flows.data_commands import provide
from flows.running import at_batch, console, opened, running
from models.tracking import sync
from reports.spec_page import page_text
from reports.spec_schema import schema_text
from stages.pages import summary
from stages.stale import found_stale

UI_PORT = 4200
STATE = (
    "archive",
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
    "new-*",
    "*.lock",
)


def demo(settings: Settings, arguments: argparse.Namespace) -> int:
    """Live through the whole history of a project, and print a line a batch."""
    workspace, as_of = opened(settings, arguments)
    provide([workspace.project])
    batches = [batch.id for batch in workspace.batches(as_of)]
    stopped: DeliveryError | None = None
    with running(settings, workspace, batches):
        from flows.lifecycle import lifecycle

        try:
            lifecycle(workspace.project.name, as_of)
        except DeliveryError as error:
            stopped = error
    show.lifecycle(console(), summary(workspace, as_of), workspace.reports / "lifecycle" / "index.html")
    if stopped:
        raise stopped
    return 0


def train(settings: Settings, arguments: argparse.Namespace) -> int:
    """Register challengers fitted on what was known when the outcomes of a batch were in."""
    workspace, batch, matured = at_batch(settings, arguments, with_outcomes=True)
    with running(settings, workspace, [batch.id]):
        from flows.train import train as flow

        versions = flow(workspace.project.name, matured)
    show.versions(console(), [workspace.registry.version(version) for version in versions])
    return 0


def tune(settings: Settings, arguments: argparse.Namespace) -> int:
    """Look for parameters on what was known when the outcomes of a batch were in."""
    workspace, batch, matured = at_batch(settings, arguments, with_outcomes=True)
    with running(settings, workspace, [batch.id]):
        from flows.tune import tune as flow

        found = flow(workspace.project.name, matured)
    for each in found:
        show.tuned(console(), each)
    return 0


def score(settings: Settings, arguments: argparse.Namespace) -> int:
    """Score a batch with the champion."""
    workspace, batch, over = at_batch(settings, arguments, with_outcomes=False)
    with running(settings, workspace, [batch.id]):
        from flows.score import score as flow

        scored = flow(workspace.project.name, batch.id, over)
    if scored is None:
        raise PerennialError(
            f"{workspace.project.name} has no champion at {over.isoformat()}: train one first"
        )
    print(f"{batch}: {scored.rows:,} rows scored by {scored.version}")
    return 0


def monitor(settings: Settings, arguments: argparse.Namespace) -> int:
    """Judge a batch, one that is named also before its outcomes are due, and say what to do."""
    workspace, batch, as_of = at_batch(settings, arguments, with_outcomes=not arguments.batch)
    if arguments.batch:
        as_of = min(opened(settings, arguments)[1], batch.end + workspace.spec.outcome.maturity)
    with running(settings, workspace, [batch.id]):
        from flows.monitor import monitor as flow

        judged = flow(workspace.project.name, batch.id, as_of)
    if judged is None:
        raise PerennialError(f"batch {batch} was not scored: score it first")
    share = judged.labelled / judged.scored
    print(
        f"{batch}: {judged.decision} ({'final' if judged.final else 'provisional'}, {share:.1%} of labels in)"
    )
    print("\n".join(f"  {reason}" for reason in judged.reasons))
    return 0


def retrain(settings: Settings, arguments: argparse.Namespace) -> int:
    """Train challengers and let the best meet the champion."""
    workspace, batch, matured = at_batch(settings, arguments, with_outcomes=True)
    with running(settings, workspace, [batch.id]):
        from flows.retrain import retrain as flow

        report = flow(workspace.project.name, matured)
    show.gate(console(), report)
    return 0


def status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say how a project stands."""
    workspace, as_of = opened(settings, arguments)
    facts, stale = summary(workspace, as_of), found_stale(workspace, as_of)
    if arguments.json:
        print(json.dumps({**facts, "stale": stale}, indent=2))
    else:
        show.status(console(), facts)
        show.stale(console(), stale)
    return 0


def wandb_sync(settings: Settings, arguments: argparse.Namespace) -> int:
    """Upload the tracked runs that were not yet, and say of each what became of it."""
    found = []
    for outcome in sync(settings.home):
        print(f"{outcome.run}: {outcome.state}{': ' if outcome.why else ''}{outcome.why}", flush=True)
        found.append(outcome.state)
    sent, kept = found.count("sent"), len(found) - found.count("sent")
    print(f"{sent} runs sent, {kept} kept to be sent later" if found else "there is no run to be sent")
    return 1 if {"failed", "not tried"} & set(found) else 0


def docs(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write what is told of the spec, for people and for editors, from the models that read one."""
    for name, text in (("spec.md", page_text()), ("project.schema.json", schema_text())):
        (CHECKOUT / "docs" / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")
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
