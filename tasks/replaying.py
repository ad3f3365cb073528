"""Tasks of a replay: a history each, the fits that an oracle might choose, and what came of it all."""

import json
from datetime import datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact

from core.settings import Settings
from replay.history import history
from replay.live import live
from replay.lived import lived
from replay.oracle import chosen, fits, there_were
from replay.plan import Plan, folder_of, plan_of
from replay.policies import policies_of, wanted
from replay.result import result
from reports.pages import write
from stages.workspace import open_workspace
from tasks.ingestion import slug
from tasks.recovery import PATIENT


@task(name="plan", **PATIENT)
def plan_replay(project: str, name: str, as_of: datetime, only: str | None) -> list[str]:
    """Write down what is lived through, unless that was begun already; the policies, the costliest first."""
    settings, workspace = Settings(), open_workspace(project)
    folder = folder_of(settings, project, name)
    plan = plan_of(workspace, wanted(policies_of(workspace.spec), only), as_of)
    before = Plan.read(folder)
    if before is None or before.made_from != plan.made_from:
        plan.write(folder)
    else:
        plan = before
    for policy in plan.policies:
        history(settings, folder, plan, policy)
    return list(plan.policies)


@task(name="live through", task_run_name="live through {policy}", **PATIENT)
def live_through(project: str, name: str, policy: str) -> str:
    """Live through the history of one policy, and measure what it lost; the policy."""
    settings = Settings()
    folder = folder_of(settings, project, name)
    plan = _plan(folder)
    workspace = history(settings, folder, plan, policy)
    live(workspace, plan.as_of)
    lived(workspace, policy, plan.as_of)
    return policy


@task(name="measure fits", task_run_name="measure all fits on {batch}", **PATIENT)
def measure_fits(project: str, name: str, batch: str) -> None:
    """Measure on a batch every fit that there was by then: an oracle chooses among them."""
    settings = Settings()
    folder = folder_of(settings, project, name)
    plan = _plan(folder)
    workspaces = {policy: history(settings, folder, plan, policy) for policy in plan.policies}
    found = fits([(each, lived(each, policy, plan.as_of)) for policy, each in workspaces.items()])
    of = open_workspace(project).batch(batch)
    if any(there_were(found, of)):
        chosen(found, of, plan.as_of)


@task(name="report replay", **PATIENT)
def report_replay(project: str, name: str, wall_seconds: float) -> Path:
    """Write what came of a replay, and leave it in the Prefect UI."""
    settings = Settings()
    folder = folder_of(settings, project, name)
    plan = _plan(folder)
    workspaces = {policy: history(settings, folder, plan, policy) for policy in plan.policies}
    facts = result(workspaces, plan) | {"replay": name, "wall_seconds": wall_seconds}
    path = settings.reports / project / "replay" / "summary.json"
    write(path, json.dumps({**facts, "report": str(path)}, indent=2) + "\n")
    create_markdown_artifact(
        key=f"{slug(project)}-replay",
        markdown="\n".join(f"- {sentence}" for sentence in facts["findings"]),
        description=f"{project}: replay, use {facts['recommended']['policy']}",
    )
    return path


def _plan(folder: Path) -> Plan:
    plan = Plan.read(folder)
    assert plan is not None, f"{folder} has no plan"
    return plan
