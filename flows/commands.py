"""The commands behind the make targets: each opens what its flow needs, runs it, and prints the outcome."""

import argparse
import shutil

from core.errors import DeliveryError, PerennialError
from core.settings import CHECKOUT, Settings
from flows import show
from flows.data_commands import provide
from flows.machine.up import refuse_while_up
from flows.running import at_batch, console, opened, running
from models.gate.judge import GateReport
from models.tracking import Outcome, sync
from reports.pages import SITE
from reports.spec.page import page_text
from reports.spec.schema import schema_text
from reports.wandb.kept import projects
from reports.wandb.publish import publish_all
from stages.champion.retraining import requests_of
from stages.reports.lifecycle import summary
from stages.reports.site import report as write_all
from stages.reports.story import cite_report
from stages.workspace import open_workspace

STATE = (
    "archive",
    "lake",
    "matplotlib",
    "models",
    "online.db*",
    "prefect",
    "replays",
    "registry.db*",
    "reports",
    "serving",
    "staging",
    "up",
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
    show.lifecycle(console(), summary(workspace, as_of), workspace.reports / SITE["Overview"])
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
    """Score a batch with the champion or, without one, all that are due."""
    workspace, batch, over = at_batch(settings, arguments, with_outcomes=False)
    as_of = over if arguments.batch else opened(settings, arguments)[1]
    with running(settings, workspace, [batch.id]):
        from flows.score import score as flow

        scored = flow(workspace.project.name, batch.id if arguments.batch else None, as_of)
    if scored is None and workspace.champion(over) is None:
        raise PerennialError(
            f"{workspace.project.name} has no champion at {over.isoformat()}: train one first"
        )
    print(f"{scored.batch}: {scored.rows:,} rows scored by {scored.version}" if scored else "nothing is due")
    return 0


def monitor(settings: Settings, arguments: argparse.Namespace) -> int:
    """Judge the predictions of a batch, and say what to do; without one do so for all that are due."""
    workspace, batch, _ = at_batch(settings, arguments, with_outcomes=not arguments.batch)
    as_of = opened(settings, arguments)[1]
    if arguments.batch:
        as_of = min(as_of, batch.end + workspace.spec.outcome.maturity)
    before = requests_of(workspace).all()
    with running(settings, workspace, [batch.id]):
        from flows.monitor import monitor as flow

        judged = flow(workspace.project.name, batch.id if arguments.batch else None, as_of)
    if judged is None and arguments.batch:
        raise PerennialError(f"batch {batch} was not scored: score it first")
    if judged is not None:
        state, share = "final" if judged.final else "provisional", judged.labelled / judged.scored
        head = f"{judged.batch}: {judged.decision} ({state}, {share:.1%} of labels in)"
        print("\n  ".join([head, *judged.reasons]))
    asked = [each for each in requests_of(workspace).all() if each not in before]
    for each in asked:
        came_of_it = " ".join(filter(None, (each.state, each.outcome, each.version, each.why)))
        print(f"retraining {each.id}, {each.action}: {came_of_it}")
    if judged is None and not asked:
        print("nothing is due")
    return 0


def retrain(settings: Settings, arguments: argparse.Namespace) -> int:
    """Train challengers and let the best meet the champion."""
    workspace, batch, matured = at_batch(settings, arguments, with_outcomes=True)
    with running(settings, workspace, [batch.id]):
        from flows.retrain import retrain as flow

        answer = flow(workspace.project.name, matured)
    if answer is None:
        raise PerennialError(f"the retraining of {workspace.project.name} did not begin: see `make status`")
    if isinstance(answer, GateReport):
        show.gate(console(), answer)
    return 0


def report(settings: Settings, arguments: argparse.Namespace) -> int:
    """Build the site of a project as things stand, and print where it is.

    The stages are called as they are: a server and a cluster take longer to start than all pages to write.
    Nothing is locked either: pages are replaced whole, so this may be called while a flow is at work.
    """
    workspace, as_of = opened(settings, arguments)
    print(write_all(workspace, as_of))
    return 0


def wandb_sync(settings: Settings, arguments: argparse.Namespace) -> int:
    """Upload the tracked runs and the reports that were not yet, and say of each what became of it."""
    found = [_told(outcome) for outcome in sync(settings.home)]
    sent, kept = found.count("sent"), len(found) - found.count("sent")
    print(f"{sent} runs sent, {kept} kept to be sent later" if found else "there is no run to be sent")
    for outcome in publish_all(settings.home):
        found.append(_told(outcome))
    for project in projects(settings.home):
        try:
            cite_report(open_workspace(project, settings))
        except PerennialError as error:  # the project is no longer there: its report is
            print(f"the cards of {project} do not link its report: {error}")
    return 1 if {"failed", "not tried"} & set(found) else 0


def _told(outcome: Outcome) -> str:
    """Print a line about what became of a run or a report, and return it in a word."""
    print(f"{outcome.run}: {outcome.state}{': ' if outcome.why else ''}{outcome.why}", flush=True)
    return outcome.state


def docs(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write what is told of the spec, for people and for editors, from the models that read one."""
    for name, text in (("spec.md", page_text()), ("project.schema.json", schema_text())):
        (CHECKOUT / "docs" / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


def clean_state(settings: Settings, arguments: argparse.Namespace) -> int:
    """Remove what Perennial has made in its home, and nothing else that may lie there."""
    refuse_while_up(settings)
    for name in STATE:
        for path in settings.home.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any(settings.home.iterdir()):
        settings.home.rmdir()
    print(f"removed the state in {settings.home}")
    return 0
