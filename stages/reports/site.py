"""The site of a project, built from the lake and the registry alone."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from core.errors import IntegrityError
from core.settings import Settings
from models.gate.judge import GateReport
from models.registry.versions import Version
from reports.data.dataset import page as dataset_page
from reports.pages import SITE
from reports.replay.page import Interval, Replay
from reports.site import Alert, Duel, Made, Reign, Site, build
from stages.champion.promote import decisions
from stages.models.cards import card_path, write_card
from stages.monitoring.alerts import open_alerts
from stages.reports.datasets import dataset_facts
from stages.reports.drift import drift_report, lacks_drift_report
from stages.reports.lifecycle import lifecycle_report, summary
from stages.workspace import Workspace, open_workspace

FEW = 2


def report(workspace: Workspace, as_of: datetime) -> Path:
    """Write every page about a project anew, as things stand at `as_of`; the path of the overview.

    Evidently's pages stay where they are of the same rows. The seconds that the history shows stay those
    of the run that made it.
    """
    with _lost_drift_pages(workspace):
        _write_lost_cards(workspace)
    lifecycle_report(workspace, as_of)
    return site_report(workspace, as_of)


def site_report(workspace: Workspace, as_of: datetime) -> Path:
    """Write the site but for Evidently's pages, its history only where it is not there; its overview."""
    _write_lost_cards(workspace)
    if not (workspace.reports / SITE["History"]).is_file():
        lifecycle_report(workspace, as_of)
    datasets = [dataset_facts(workspace, name) for name in workspace.spec.datasets]
    overview = build(
        site_facts(workspace, as_of),
        summary(workspace, as_of),
        datasets,
        replayed(workspace.reports / "replay"),
        workspace.reports,
    )
    for facts in datasets:
        dataset_page(facts, workspace.reports / "datasets" / facts["dataset"])
    return overview


@contextmanager
def _lost_drift_pages(workspace: Workspace) -> Iterator[None]:
    """Evidently's pages that are not there are made meanwhile, by `workers` processes.

    A page takes a second or two: for few of them the start of a process would take longer.
    """
    batches = [workspace.batch(batch) for batch in workspace.ledger.results("score")]
    lost = [batch for batch in batches if lacks_drift_report(workspace, batch)]
    if len(lost) <= FEW:
        for batch in lost:
            drift_report(workspace, batch)
        yield
        return
    work = partial(_write_drift_page, workspace.settings, workspace.project.name)
    # Polars has threads, which a forked process would lack.
    with ProcessPoolExecutor(workspace.settings.workers, get_context("spawn")) as pool:
        made = pool.map(work, [batch.id for batch in lost])
        yield
        list(made)  # raises what was raised there


def _write_drift_page(settings: Settings, project: str, batch: str) -> None:
    workspace = open_workspace(project, settings)
    drift_report(workspace, workspace.batch(batch))


def _write_lost_cards(workspace: Workspace) -> None:
    """Write those cards that are gone: each is written whenever something is decided about its version."""
    gates = {gate.challenger: gate for gate in decisions(workspace).values()}
    for version in workspace.registry.versions(workspace.project.name):
        if not card_path(workspace, version).is_file():
            write_card(workspace, version, gates.get(version.id))


def site_facts(workspace: Workspace, as_of: datetime) -> Site:
    """What the site tells of champions, gates and lineage up to `as_of`, and of the alerts of now."""
    return {
        "project": workspace.project.name,
        "title": workspace.spec.title,
        "business": workspace.spec.objective.business,
        "as_of": as_of.isoformat(),
        "metric": workspace.spec.metric,
        "reigns": _reigns(workspace, as_of),
        "duels": [_duel(at, gate) for at, gate in decisions(workspace).items() if at <= as_of],
        "made": [_made(version) for version in workspace.registry.versions(workspace.project.name)],
        "alerts": [
            Alert(
                severity=each.severity,
                title=each.title,
                since=each.first_seen.isoformat(),
                seen=each.count,
            )
            for each in open_alerts(workspace)
        ],
    }


def replayed(folder: Path) -> Replay | None:
    """What the last replay left; None before the first. IntegrityError where it cannot be read."""
    path = folder / "summary.json"
    if not path.is_file():
        return None
    try:
        return cast(Replay, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise IntegrityError(f"{path}: {error}: make the replay again") from None


def _reigns(workspace: Workspace, as_of: datetime) -> list[Reign]:
    crowned = [
        change
        for change in workspace.registry.transitions(workspace.project.name)
        if change.after == "champion" and change.at <= as_of
    ]
    ends = [change.at.isoformat() for change in crowned[1:]]
    return [
        Reign(version=change.version, since=change.at.isoformat(), until=until)
        for change, until in zip(crowned, [*ends, None], strict=False)
    ]


def _duel(at: datetime, gate: GateReport) -> Duel:
    better = next((check for check in gate.checks if check.name == "better"), None)
    gain = Interval(value=None, low=better.low, high=better.high) if better else None
    return {
        "version": gate.challenger,
        "against": gate.champion,
        "at": at.isoformat(),
        "accepted": gate.accepted,
        "rows": gate.rows,
        "gain": gain,
        "limit": better.limit if better else None,
        "reasons": gate.reasons,
    }


def _made(version: Version) -> Made:
    made, measured = version.lineage, version.metrics["described"]["measures"]
    return {
        "version": version.id,
        "family": version.family,
        "stage": version.stage,
        "as_of": made.as_of.isoformat(),
        "batches": made.batches,
        "tables": made.tables,
        "code": made.code,
        "settings": made.settings,
        "seed": made.seed,
        "packages": made.packages,
        "parameters": made.parameters,
        "learnt_until": _text(made.learnt_until),
        "trained_until": made.trained_until.isoformat(),
        "calibrated_since": _text(made.calibrated_since),
        "starts": made.starts,
        "keeps": made.keeps,
        "seconds": version.metrics.get("seconds"),
        "holdout": {name: _interval(found) for name, found in measured.items()},
    }


def _interval(found: Mapping[str, float | None]) -> Interval:
    return Interval(value=found["value"], low=found.get("low"), high=found.get("high"))


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
