"""Look: what the log says of who answers beside the champion, and what is done about it: on, hold, or back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from core.plain import plain
from models.registry.releases import Part, Release
from monitoring.release.compare import compare
from monitoring.release.trial import Trial, result
from monitoring.release.watches import Watch
from stages.release.give import crown, end, in_force, put
from stages.release.served import served_under
from stages.workspace import Workspace

Outcome = Literal["held", "advanced", "promoted", "rolled back", "ended"]
BY = "release"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a release came to: the version beside the champion, its share before and since.

    `requests` are those that it had at this step, `watches` what was watched, `reasons` what decided.
    """

    project: str
    version: str
    champion: str
    outcome: Outcome
    share: float
    now: float
    requests: int
    reasons: tuple[str, ...]
    watches: tuple[Watch, ...]


def look(workspace: Workspace, as_of: datetime) -> Look | None:
    """Look at the release in force as of an instant, once; None where the champion answers alone.

    A canary that is surely worse in what is watched goes back, and so does one that is tested and surely
    worse; whoever was a challenger is retired. A canary that advances takes the next step once it had the
    requests and the time that the spec says. Two who look at once come to one decision: IntegrityError for
    the other.
    """
    present = in_force(workspace)
    _retire_what_went_back(workspace, present, as_of)
    candidate = present.candidate
    if candidate is None:
        return None
    rows = served_under(workspace, present, as_of)
    seen = _Seen(workspace, present, candidate, rows, as_of)
    if alarms := [watch for watch in seen.watches if watch.state == "alarm"]:
        return seen.back([watch.reason for watch in alarms])
    if present.test is not None:
        return seen.tested()
    return seen.advanced() if present.advances else seen.told("held", ["it is held at its share by hand"])


class _Seen:
    """A release at one look."""

    def __init__(
        self,
        workspace: Workspace,
        present: Release,
        candidate: Part,
        rows: pl.DataFrame | None,
        as_of: datetime,
    ) -> None:
        self.workspace, self.present, self.candidate, self.as_of = workspace, present, candidate, as_of
        self.rows = rows
        own = rows.filter(pl.col("version") == candidate.version) if rows is not None else None
        self.requests = own["request_id"].n_unique() if own is not None else 0
        self.watches: tuple[Watch, ...] = ()
        if rows is not None:
            self.watches = compare(workspace.spec, rows, candidate.version, present.champion)

    @property
    def evidence(self) -> dict[str, Any]:
        """What is put on record of a decision."""
        return {"requests": self.requests, "watches": plain(self.watches)}

    def back(self, reasons: Sequence[str]) -> Look:
        """Give all traffic back to the champion."""
        why, version = "; ".join(reasons), self.candidate.version
        now = end(self.workspace, version, self.as_of, BY, action=BACK, why=why, evidence=self.evidence)
        _retire_what_went_back(self.workspace, now, self.as_of)
        return self.told("rolled back", reasons, now=0.0)
