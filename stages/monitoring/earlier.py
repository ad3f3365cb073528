"""Earlier: the version before the champion, on the rows that came since, and what may be done about it."""

from datetime import datetime

import polars as pl

from core.errors import IntegrityError
from models.registry.versions import Transition, Version, succession
from models.rows import Rows
from monitoring.earlier_findings import of_earlier
from monitoring.findings import Finding
from stages.features.featurise import labelled
from stages.score import served
from stages.workspace import Workspace


def succeeding(workspace: Workspace, as_of: datetime) -> list[Version]:
    """The line of champions up to the one that served when `as_of` came, which is the last.

    Who was rolled back is out of it. What was decided at that very instant is not in it yet: asked
    again, the same comes of it.
    """
    return [workspace.registry.version(each) for each in succession(_before(workspace, as_of))]


def compared(workspace: Workspace, as_of: datetime) -> Finding | None:
    """What all rows since the champion's release, labelled by `as_of`, say of the version before it.

    None where there is no row or no version before it, or none that takes the features of today.
    """
    line = succeeding(workspace, as_of)
    if len(line) < 2:
        return None
    earlier, champion = line[-2:]
    if earlier.metrics["columns"] != list(workspace.spec.features):
        return None
    since = _released(workspace, champion, as_of)
    frame = labelled(workspace, as_of, since).filter(pl.col("event_time") >= since)
    if frame.is_empty():
        return None
    rows = Rows.of(frame, workspace.spec.outcome)
    try:
        theirs, ours = (served(workspace, each).predict(frame) for each in (earlier, champion))
    except IntegrityError as error:
        return Finding("watch", f"{earlier}, the version before, cannot be compared: {error}")
    return of_earlier(earlier.id, rows, theirs, ours, workspace.spec)


def _released(workspace: Workspace, champion: Version, as_of: datetime) -> datetime:
    """When the champion became champion, the last time."""
    crowned = [
        change.at
        for change in _before(workspace, as_of)
        if change.version == champion.id and change.after == "champion"
    ]
    return crowned[-1]


def _before(workspace: Workspace, as_of: datetime) -> list[Transition]:
    """What was on record when an instant came."""
    return [each for each in workspace.registry.transitions(workspace.project.name) if each.at < as_of]
