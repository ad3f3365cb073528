"""Cards: the page about one model version, written anew whenever something is decided about it."""

import json
from pathlib import Path

from models.card.card import card
from models.card.page import html
from models.gate.judge import GateReport
from models.registry.versions import Version
from reports.pages import write
from reports.wandb_kept import link
from stages.workspace import Workspace


def write_card(workspace: Workspace, version: Version, gate: GateReport | None = None) -> Path:
    """Write a version's card, as JSON and as a page, from what the registry has of it; the page's path."""
    kept = version.metrics
    told = card(version, workspace.spec, kept["described"], kept["variants"], gate)
    told["report"] = link(workspace.settings.home, workspace.project.name)
    path = card_path(workspace, version)
    write(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
    return write(path, html(told))


def cite(workspace: Workspace, report: str) -> None:
    """Put the link of the project's W&B report into the cards that lie there without it."""
    for version in workspace.registry.versions(workspace.project.name):
        path = card_path(workspace, version)
        if not path.is_file():
            continue
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if told.get("report") != report:
            told["report"] = report
            write(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
            write(path, html(told))


def card_path(workspace: Workspace, version: Version) -> Path:
    """Where the page about a version lies."""
    return workspace.reports / "models" / f"{version.number}.html"
