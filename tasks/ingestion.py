"""Tasks of the first stages: a delivery into the lake, and accepted rows into features."""

from datetime import datetime

from prefect import task
from prefect.artifacts import create_table_artifact

from stages.featurise import Featurised, featurise
from stages.ingest import Ingested, ingest
from stages.workspace import open_workspace
from tasks.recovery import PATIENT


@task(name="ingest", task_run_name="ingest {dataset} {batch}", **PATIENT)
def ingest_batch(project: str, dataset: str, batch: str | None, as_of: datetime) -> Ingested:
    """Ingest one batch of the events, or another dataset as a whole."""
    workspace = open_workspace(project)
    return ingest(workspace, dataset, workspace.batch(batch) if batch else None, as_of)


@task(name="features", task_run_name="features {batch}", **PATIENT)
def featurise_batch(project: str, batch: str, as_of: datetime) -> Featurised:
    """Build the features and the outcomes of one batch."""
    workspace = open_workspace(project)
    return featurise(workspace, workspace.batch(batch), as_of)


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
                "reasons": "; ".join(f"{reason} ({count})" for reason, count in each.reasons.items()),
                "stopped": each.stopped or "",
            }
            for each in found
        ],
        description=f"{project}: received = accepted + quarantined, for every delivery",
    )


def slug(name: str) -> str:
    """A name as the key of an artifact may have it."""
    return name.replace("_", "-")
