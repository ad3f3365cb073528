"""Cards: the page about one model version, written anew whenever something is decided about it."""

import json
from pathlib import Path

import numpy as np

from models.card import card, html
from models.evaluate import Curve
from models.gate import GateReport
from models.versions import Version
from reports.pages import write
from stages.workspace import Workspace


def write_card(workspace: Workspace, version: Version, gate: GateReport | None = None) -> Path:
    """Write a version's card, as JSON and as a page, from what the registry has of it; the page's path."""
    kept = version.metrics
    told = card(
        version,
        workspace.spec,
        measures={part: kept[part] for part in ("validation", "holdout")},
        intervals=kept["intervals"],
        curve=Curve(**{name: np.asarray(values) for name, values in kept["curve"].items()}),
        variants=kept["variants"],
        importance=kept["importance"],
        gate=gate,
    )
    path = card_path(workspace, version)
    write(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
    return write(path, html(told))


def card_path(workspace: Workspace, version: Version) -> Path:
    """Where the page about a version lies."""
    return workspace.reports / "models" / f"{version.number}.html"
