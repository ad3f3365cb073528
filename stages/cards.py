"""Cards: the page about one model version, written anew whenever something is decided about it."""

import json
from pathlib import Path

from models.card.card import card
from models.card.page import html
from models.gate.judge import GateReport
from models.registry.versions import Version
from reports.pages import write
from stages.workspace import Workspace


def write_card(workspace: Workspace, version: Version, gate: GateReport | None = None) -> Path:
    """Write a version's card, as JSON and as a page, from what the registry has of it; the page's path.

    A replay writes none.
    """
    if workspace.shared:
        return card_path(workspace, version)
    kept = version.metrics
    told = card(version, workspace.spec, kept["described"], kept["variants"], gate)
    path = card_path(workspace, version)
    write(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
    return write(path, html(told))


def card_path(workspace: Workspace, version: Version) -> Path:
    """Where the page about a version lies."""
    return workspace.reports / "models" / f"{version.number}.html"
