"""Tasks of the first stages: deliveries into the lake, and accepted rows into features."""

from collections.abc import Sequence
from datetime import datetime

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from core.errors import DeliveryError
from core.sources.items import Item
from stages.data.deliver import deliver, pending
from stages.data.ingest import Ingested, ingest
from stages.data.release_quarantine import release_quarantine
from stages.features.featurise import Featurised, featurise
from stages.features.publish import publish
from stages.reports.datasets import dataset_report
from stages.workspace import Workspace
from stages.workspace import open_workspace as opened
from tasks.recovery import PATIENT
from tasks.secrets import block


def open_workspace(project: str) -> Workspace:
    """A project opened for work, with the secrets of the Prefect blocks at hand."""
    return opened(project, blocks=block)


@task(name="ingest whole", task_run_name="ingest {dataset}", **PATIENT)
def ingest_whole(project: str, dataset: str, as_of: datetime) -> Ingested:
    """Take in what was delivered of a dataset that is not cut into batches."""
    workspace = open_workspace(project)
    for item in pending(workspace, dataset, []):
        deliver(workspace, dataset, item, as_of)
    return ingest(workspace, dataset, None, as_of)


@task(name="look", task_run_name="look at {dataset}", **PATIENT)
def look(project: str, dataset: str, batches: Sequence[str]) -> list[Item]:
    """What lies at a dataset's source for these batches and was not taken in yet."""
    workspace = open_workspace(project)
    return pending(workspace, dataset, [workspace.batch(batch) for batch in batches])


@task(name="deliver", task_run_name="deliver {dataset}", **PATIENT)
def deliver_items(
    project: str, dataset: str, items: Sequence[Item], as_of: datetime
) -> list[tuple[Item, str]]:
    """Stage some items and place their rows in batches; those that cannot be read, with the reason."""
    workspace, refused = open_workspace(project), []
    for item in items:
        try:
            deliver(workspace, dataset, item, as_of)
        except DeliveryError as error:
            refused.append((item, str(error)))
    return refused


@task(name="ingest", task_run_name="ingest {dataset} {batch}", **PATIENT)
def ingest_batch(project: str, dataset: str, batch: str, as_of: datetime) -> Ingested:
    """Validate one batch of a dataset and divide it into accepted rows and quarantine."""
    workspace = open_workspace(project)
    result = ingest(workspace, dataset, workspace.batch(batch), as_of)
    _show(workspace, result)
    return result


@task(name="release", task_run_name="release {dataset} {batch}", **PATIENT)
def release_batch(project: str, dataset: str, batch: str | None, as_of: datetime) -> Ingested:
    """Let the set-aside rows of one batch meet the present suite."""
    workspace = open_workspace(project)
    result = release_quarantine(workspace, dataset, workspace.batch(batch) if batch else None, as_of)
    _show(workspace, result)
    return result


@task(name="features", task_run_name="features {batch}", **PATIENT)
def featurise_batch(project: str, batch: str, as_of: datetime) -> Featurised:
    """Build the features and the outcomes of one batch."""
    workspace = open_workspace(project)
    return featurise(workspace, workspace.batch(batch), as_of)


@task(name="publish", **PATIENT)
def publish_online(project: str, as_of: datetime) -> None:
    """Put what requests will need into the online store."""
    publish(open_workspace(project), as_of)


@task(name="dataset report", task_run_name="report {dataset}", **PATIENT)
def report_dataset(project: str, dataset: str) -> None:
    """Write the page of a dataset."""
    dataset_report(open_workspace(project), dataset)


@task(name="show ingested")
def show_ingested(project: str, found: list[Ingested]) -> None:
    """Leave a table of what was received, accepted and quarantined in the Prefect UI."""
    create_table_artifact(
        key=f"{slug(project)}-ingested",
        table=[
            {
                "dataset": each.dataset,
                "batch": each.batch,
                "received": each.received,
                "accepted": each.accepted,
                "quarantined": each.quarantined,
                "reasons": _reasons(each),
                "stopped": each.stopped or "",
            }
            for each in found
        ],
        description=f"{project}: received = accepted + quarantined, for every delivery",
    )


def slug(name: str) -> str:
    """A name as the key of an artifact may have it."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())


def _show(workspace: Workspace, result: Ingested) -> None:
    """Leave the verdict on a batch in the Prefect UI, with a link to the dataset's page."""
    page = workspace.reports / "datasets" / result.dataset / "index.html"
    verdict = f"stopped: {result.stopped}" if result.stopped else "accepted"
    lines = [
        f"## {result.dataset} {result.batch}: {verdict}",
        f"{result.received:,} received = {result.accepted:,} accepted + {result.quarantined:,} quarantined",
        *(f"- {reason}: {count:,} rows" for reason, count in result.reasons.items()),
        *(f"- alert: {alert}" for alert in result.alerts),
        f"[the page of {result.dataset}]({page.as_uri()}), validated by {result.engine}",
    ]
    create_markdown_artifact(
        key=f"{slug(workspace.project.name)}-{slug(result.dataset)}-{slug(result.batch)}",
        markdown="\n\n".join(lines),
        description=f"{result.dataset} {result.batch}: {verdict.partition(':')[0]}",
    )


def _reasons(result: Ingested) -> str:
    return "; ".join(f"{reason} ({count})" for reason, count in result.reasons.items())
