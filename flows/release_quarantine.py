"""The release flow: the set-aside rows of a batch meet the present suite, and those that pass join it."""

from datetime import datetime

from prefect import flow

from flows.instants import standing
from stages.data.ingest import Ingested
from stages.workspace import open_workspace
from tasks.ingestion import release_batch, report_dataset


@flow(name="release quarantine", flow_run_name="release {batch} of {project}")
def release_quarantine(
    project: str, batch: str, as_of: datetime | None = None, dataset: str | None = None
) -> Ingested:
    """Release what passes of one batch of a dataset, by default the events; "whole" is a batch, too.

    The features that are made from the batch are built anew by the next run.

    Args:
        project: The project, a folder of projects/.
        batch: The id of the batch, such as 2013-04, or "whole" of a dataset that is not cut into batches.
        as_of: The instant to stand at; by default the scheduled start of the run.
        dataset: The dataset; by default the events.
    """
    as_of, workspace = standing(as_of), open_workspace(project)
    dataset = workspace.dataset(dataset)
    of = None if dataset in workspace.whole else batch
    result = release_batch(project, dataset, of, as_of)
    report_dataset(project, dataset)
    return result
