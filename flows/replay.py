"""The replay flow: the project's history lived through once for each retraining policy, side by side."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from prefect import flow, unmapped
from prefect.futures import PrefectFuture, as_completed, wait
from prefect.logging import get_run_logger

from core.errors import DeliveryError
from core.settings import Settings
from flows.ingest import ingest
from flows.instants import standing
from flows.progress import note, now
from replay.plan import alone, folder_of
from replay.reached import ledgers_of, pace_of, reached
from stages.workspace import open_workspace
from tasks.fanout import fan_out
from tasks.news import TOLD
from tasks.replaying import live_through, measure_fits, plan_replay, report_replay
from tasks.reporting import report_site

EVERY = 4.0  # seconds between two looks at how far the histories are
SAID_EVERY = 20.0  # and between two estimates of how long the rest takes
PARTS = 3  # into which the measuring of fits is cut, for each worker


@flow(name="replay", flow_run_name="replay {project}", task_runner=fan_out(), **TOLD)
def replay(
    project: str, as_of: datetime | None = None, policies: str | None = None, start: str | None = None
) -> Path:
    """Compare retraining policies on what the project has been through by `as_of`; the page about it.

    Each policy has a registry, a ledger and predictions of its own, on the features of the project, and is
    lived through by the stages that production runs. What several need is made once. A replay that was
    stopped goes on where it was; it begins anew where the data, the spec or the code is another by now.

    Args:
        project: The project, a folder of projects/, or `<project>@<world>`.
        as_of: The instant to stand at; by default the scheduled start of the run.
        policies: The names of some policies, with `;` between them; by default all.
        start: The batch that the histories begin with, or a day in it; by default the project's first.
    """
    with alone(folder_of(Settings(), project)):
        return _replayed(project, standing(as_of), policies, start)


def _replayed(project: str, as_of: datetime, policies: str | None, start: str | None) -> Path:
    started = time.monotonic()
    _ingest(project, as_of)
    planned = plan_replay(project, as_of, policies, start)
    work = _follow(project, live_through.map(unmapped(project), planned))
    work += _measure(project, [batch.id for batch in open_workspace(project).batches(as_of)])
    page = report_replay(project, time.monotonic() - started, work)
    report_site(project.partition("@")[0], standing(None))
    return page


def _ingest(project: str, as_of: datetime) -> None:
    """Take in what there is; a batch that stops is one that no history has."""
    try:
        ingest(project, as_of)
    except DeliveryError as error:
        get_run_logger().warning("left out: %s", error)


def _follow(project: str, futures: Sequence[PrefectFuture[float]]) -> float:
    """Wait for the histories, and show how far they are; the seconds that they took together."""
    settings, waiting, said = Settings(), list(futures), time.monotonic()
    pace, ledgers = pace_of(settings, project), ledgers_of(settings, project)
    pace.look(reached(ledgers), time.monotonic())
    while waiting:
        waiting = list(wait(waiting, timeout=EVERY).not_done)
        far = reached(ledgers)
        pace.look(far, time.monotonic())
        for policy, done in far.items():
            note(policy, "batches", f"{done} of {pace.steps}" if done else "")
        if time.monotonic() - said > SAID_EVERY:
            said = time.monotonic()
            now(pace.told(said))
    return sum(future.result() for future in futures)


def _measure(project: str, batches: Sequence[str]) -> float:
    """Measure all fits for the oracle, in as many parts as keep the workers busy; the seconds in all."""
    count = min(PARTS * Settings().workers, len(batches))
    # One of each so many: the later a batch is, the more fits there were before it.
    futures = measure_fits.map(unmapped(project), [batches[part::count] for part in range(count)])
    now("measuring every fit on every batch")
    for measured, _ in enumerate(as_completed(futures), start=1):
        now(f"measuring every fit on every batch: {measured / count:.0%}")
    return sum(future.result() for future in futures)
