"""Tasks of a replay: a history each, the fits that an oracle might choose, and what came of it all."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from prefect import task
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from core.settings import Settings
from replay.histories import histories, plan
from replay.history import history
from replay.live import live
from replay.lived import lived
from replay.oracle import chosen, fits, there_were
from replay.page import written
from replay.plan import Plan, folder_of
from reports.replay.facts import ranked
from reports.replay.page import Replay, picture
from stages.workspace import open_workspace
from tasks.ingestion import slug
from tasks.recovery import PATIENT


@task(name="plan", **PATIENT)
def plan_replay(project: str, as_of: datetime, only: str | None, start: str | None) -> list[str]:
    """Write down what is lived through, unless that was begun already; the policies, the costliest first."""
    return list(plan(Settings(), project, as_of, only, start).policies)


@task(name="live through", task_run_name="live through {policy}", **PATIENT)
def live_through(project: str, policy: str) -> float:
    """Live through the history of one policy, and measure what it lost; the seconds that this took."""
    started, settings = time.monotonic(), Settings()
    folder = folder_of(settings, project)
    workspace, as_of = history(settings, folder, Plan.read(folder), policy), Plan.read(folder).as_of
    live(workspace, as_of)
    lived(workspace, policy, as_of)
    return time.monotonic() - started


@task(name="measure fits", **PATIENT)
def measure_fits(project: str, batches: Sequence[str]) -> float:
    """Measure all fits there were by then on some batches, for the oracle; the seconds that this took."""
    started, settings, here = time.monotonic(), Settings(), open_workspace(project)
    as_of = Plan.read(folder_of(settings, project)).as_of
    of = [(each, lived(each, policy, as_of)) for policy, each in histories(settings, project).items()]
    found = fits(of)
    for batch in map(here.batch, batches):
        if any(there_were(found, batch)):
            chosen(found, batch, as_of)
    return time.monotonic() - started


@task(name="report replay", **PATIENT)
def report_replay(project: str, wall_seconds: float, work_seconds: float) -> Path:
    """Write what came of a replay, and leave it in the Prefect UI."""
    facts, path = written(Settings(), project, wall_seconds, work_seconds)
    key, told = f"{slug(project)}-replay", f"{project}: use {facts['recommended']['policy']}"
    create_table_artifact(key=key, table=[_row(each) for each in ranked(facts)], description=told)
    findings = "\n".join(f"- {sentence}" for sentence in facts["findings"])
    text = f"{findings}\n\n[the page]({path.as_uri()}), in `{path}`"
    told = f"{project}: what the policies showed"
    create_markdown_artifact(key=f"{key}-findings", markdown=text, description=told)
    if drawn := picture(cast(Replay, facts)):
        told = f"{project}: the gain on never retraining, by batch"
        create_image_artifact(key=f"{key}-policies", image_url=drawn, description=told)
    return path


def _row(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A policy as a line of a table."""
    gain, regret, value = (policy[name] for name in ("against_never", "regret", "net_value"))
    return {
        "policy": policy["name"],
        "gain on never": f"{gain['value']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})",
        "regret": f"{regret['value']:.4f}",
        "net value": f"{value['value']:+,.0f}" if value else "",
        "retrained": policy["retrainings"],
        "refused": policy["refused"],
        "training": f"{policy['training_seconds']:,.0f} s",
    }
