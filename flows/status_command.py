"""The command `status`: what runs on this machine, and how a project stands."""

import argparse
import json
import os

from core.settings import Settings
from flows import show, show_status
from flows.backend import backend
from flows.machine import state
from flows.machine.facts import Deployed, part_facts
from flows.machine.state import Up
from flows.running import console, opened
from stages.reports.lifecycle import summary
from stages.stale import found_stale
from stages.status import standing


def status(settings: Settings, arguments: argparse.Namespace) -> int:
    """Say what runs on this machine, and how a project stands; nothing is started for it."""
    workspace, as_of = opened(settings, arguments)
    facts, stale, stands = (
        summary(workspace, as_of),
        found_stale(workspace, as_of),
        standing(workspace, as_of),
    )
    found = state.read(settings)
    parts, deployments = part_facts(found), _deployments(settings, found, workspace.project.name)
    if arguments.json:
        machine = {"parts": parts, "deployments": deployments}
        print(json.dumps({**facts, "stale": stale, **stands, **machine}, indent=2))
        return 0
    screen = console()
    show_status.parts(screen, parts)
    show_status.deployments(screen, deployments)
    show_status.standing(screen, stands)
    show_status.alerts(screen, stands["alerts"])
    show.status(screen, facts)
    show.stale(screen, stale)
    return 0


def _deployments(settings: Settings, up: Up | None, project: str) -> list[Deployed] | None:
    """What is deployed of a project; None where no server runs, for none is started."""
    if not os.environ.get("PREFECT_API_URL") and not (up and up.alive):
        return None
    with backend(settings):
        from flows.machine.schedules import deployed

        return deployed(project)
