"""The backfill flow: any interval of a project's history, and all that was made from it before."""

from collections.abc import Sequence
from datetime import datetime

from prefect import flow, unmapped

from core.batches import Batch
from core.errors import DeliveryError
from flows.ingest import ingest
from flows.instants import standing
from flows.monitor import monitor
from flows.progress import mark, now
from flows.score import score
from stages.data.ingest import Ingested
from stages.stale import stale_features, stale_judgements, stale_scores
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.ingestion import featurise_batch


@flow(name="backfill", flow_run_name="backfill {project} {start} to {end}", task_runner=fan_out())
def backfill(
    project: str, as_of: datetime | None = None, start: str | None = None, end: str | None = None
) -> list[Ingested]:
    """Ingest the batches from `start` to `end` anew where their deliveries changed, and what follows.

    Later batches whose features reach back into them are built again, and what was scored or judged
    by features that are no longer those is scored and judged again, as of then; nothing is retrained.
    A killed run goes on where it was. DeliveryError names the batches that stopped, in the end.

    Args:
        project: The project, a folder of projects/.
        as_of: The instant to stand at; by default the scheduled start of the run.
        start: The first batch, or a day in it; by default the project's first.
        end: The last batch, or a day in it; by default the newest that is over.
    """
    as_of, workspace = standing(as_of), open_workspace(project)
    stopped: DeliveryError | None = None
    found: list[Ingested] = []
    try:
        found = ingest(project, as_of, start, end)
    except DeliveryError as error:
        stopped = error
    now("building again what was made from the batches")
    batches = workspace.batches(as_of, start)
    stale = [batch.id for batch in stale_features(workspace, batches)]
    for batch, future in zip(
        stale, featurise_batch.map(unmapped(project), stale, unmapped(as_of)), strict=True
    ):
        mark(batch, "features", f"{future.result().rows:,} rows")
    _again(project, batches, as_of)
    if stopped:
        raise stopped
    return found


def _again(project: str, batches: Sequence[Batch], as_of: datetime) -> None:
    """Score and judge again, in order of time, what was scored and judged by other features."""
    workspace = open_workspace(project)
    for batch in stale_scores(workspace, batches):
        now(f"{batch}: scoring again")
        if scored := score(project, batch.id, batch.end):
            mark(batch.id, "score", scored.version)
    for batch in stale_judgements(workspace, batches):
        matured = batch.end + workspace.spec.outcome.maturity
        if matured <= as_of:
            now(f"{batch}: judging again")
            judged = monitor(project, batch.id, matured)
            mark(batch.id, "monitor", judged.decision if judged else "no rows")
