"""Cards: the page about one model version, written anew whenever something is decided about it."""

import json
import logging
from pathlib import Path

from jinja2 import UndefinedError

from models.card.card import card
from models.card.page import html
from models.gate.judge import GateReport
from models.registry.versions import Version
from reports.pages import write
from reports.wandb.kept import link
from stages.workspace import Workspace

_log = logging.getLogger(__name__)


def write_card(workspace: Workspace, version: Version, gate: GateReport | None = None) -> Path:
    """Write a version's card, as JSON and as a page, from what the registry has of it; the page's path.

    A replay writes none.
    """
    if workspace.shared:
        return card_path(workspace, version)
    kept = version.metrics
    report = link(workspace.settings.home, workspace.project.name)
    told = card(version, workspace.spec, kept["described"], kept["variants"], gate, report)
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
        if told.get("report") == report:
            continue
        told["report"] = report
        try:
            page = html(told)
        except UndefinedError as error:  # the card is of an older Perennial, which told less
            _log.warning("%s does not link the W&B report: it is of an older form: %s", path, error)
            continue
        write(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
        write(path, page)


def card_path(workspace: Workspace, version: Version) -> Path:
    """Where the page about a version lies."""
    return workspace.reports / "models" / f"{version.number}.html"
