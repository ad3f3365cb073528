"""Look: what the log says of who answers beside the champion, and whether it goes on, holds, or goes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Literal

import polars as pl

from core.plain import plain
from models.registry.releases import Part, Release
from monitoring.release.compare import compare
from monitoring.release.trial import Trial, TrialResult, result
from monitoring.release.watches import Watch, WatchName
from stages.release.calibrated import calibrations
from stages.release.change import end, put
from stages.release.give import crown
from stages.release.served import served_under
from stages.workspace import Workspace

Outcome = Literal["held", "advanced", "promoted", "rolled back", "ended"]
BY = "release"
BACK = "rolled back"
# Who is tested is there because it answers otherwise: how well is for the test to say.
OF_A_TEST: tuple[WatchName, ...] = ("errors", "latency")


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a release came to: the version beside the champion, its share before and after it.

    `requests` are those that it had at this step, `watches` what was watched, `test` what a test shows by
    now, `reasons` what decided.
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
    test: TrialResult | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A release, and what was seen of it at an instant."""

    workspace: Workspace
    present: Release
    candidate: Part
    as_of: datetime
    requests: int
    watches: tuple[Watch, ...]
    test: TrialResult | None

    def told(self, outcome: Outcome, now: float, *reasons: str) -> Look:
        """What came of it."""
        one, champion = self.candidate, self.present.champion
        facts = (self.requests, reasons, self.watches, self.test)
        return Look(self.workspace.project.name, one.version, champion, outcome, one.share, now, *facts)

    @property
    def evidence(self) -> dict[str, Any]:
        """What is put on record with a decision."""
        seen = {"version": self.candidate.version, "requests": self.requests, "watches": plain(self.watches)}
        return seen | ({"test": plain(self.test)} if self.test else {})


def look(workspace: Workspace, as_of: datetime) -> Look | None:
    """Look once at the release in force, as of an instant; None where the champion answers alone.

    Who is surely worse in what is watched goes back and, if it was a challenger, is retired. A canary that
    advances takes the next step once it had the requests and the time that the spec says; a test ends when
    it is decided. Of two who look at once one decides: IntegrityError for the other.
    """
    found = workspace.registry.releases(workspace.project.name)
    if not found:
        return None
    present = found[-1]
    _retire_who_went_back(workspace, present, as_of)
    if present.candidate is None:
        return None
    seen = _seen(workspace, present, present.candidate, as_of)
    if alarms := [watch.reason for watch in seen.watches if watch.state == "alarm"]:
        return _back(seen, alarms)
    if seen.test is not None:
        return _tested(seen, seen.test)
    if not present.advances:
        return seen.told("held", seen.candidate.share, "its share was given by hand")
    return _advanced(seen)


def _seen(workspace: Workspace, present: Release, candidate: Part, as_of: datetime) -> _Seen:
    rows = served_under(workspace, _since(workspace, present), as_of)
    if rows is None:
        return _Seen(workspace, present, candidate, as_of, 0, (), None)
    own = rows.filter(pl.col("version") == candidate.version, pl.col("role") == candidate.role)
    others = rows.filter(pl.col("role") != "shadow")
    asked = calibrations(workspace, present.champion, as_of)
    watches = compare(workspace.spec, others, candidate.version, present.champion, asked)
    test = None
    if present.test is not None:
        test = result(Trial(**present.test), workspace.spec, others)
        watches = tuple(watch for watch in watches if watch.name in OF_A_TEST)
    return _Seen(workspace, present, candidate, as_of, own["request_id"].n_unique(), watches, test)


def _since(workspace: Workspace, present: Release) -> list[int]:
    """The releases up to the present one in which the same version had the same part: shadows may differ."""
    every = workspace.registry.releases(workspace.project.name)[::-1]
    same = takewhile(lambda each: (each.candidate, each.test) == (present.candidate, present.test), every)
    return [each.number for each in same]


def _back(seen: _Seen, reasons: Sequence[str]) -> Look:
    """All traffic goes back to the champion."""
    version, why = seen.candidate.version, "; ".join(reasons)
    now = end(seen.workspace, version, seen.as_of, BY, action=BACK, why=why, evidence=seen.evidence)
    _retire_who_went_back(seen.workspace, now, seen.as_of)
    return seen.told("rolled back", 0.0, *reasons)


def _tested(seen: _Seen, found: TrialResult) -> Look:
    """A test that is decided ends: the better version has all traffic, the champion where none is."""
    if found.state == "collecting":
        return seen.told("held", seen.candidate.share, found.reason)
    if found.state == "b better":
        return _crowned(seen, found.reason)
    why = found.reason
    end(
        seen.workspace,
        seen.candidate.version,
        seen.as_of,
        BY,
        action="ended",
        why=why,
        evidence=seen.evidence,
    )
    return seen.told("ended", 0.0, why)


def _advanced(seen: _Seen) -> Look:
    """The next step, if its time has come."""
    rules, share = seen.workspace.spec.release, seen.candidate.share
    left = seen.present.at + rules.hold - seen.as_of
    if seen.requests < rules.requests:
        needed = f"it had {seen.requests:,} of the {rules.requests:,} requests of a step"
        return seen.told("held", share, needed)
    if left.total_seconds() > 0:
        return seen.told("held", share, f"the step lasts for {left.total_seconds() / 60:.0f} more minutes")
    step = next(step for step in rules.steps if step > share)
    why = f"no alarm in {seen.requests:,} requests at {100 * share:g} %"
    if step == 1:
        return _crowned(seen, why)
    version = seen.candidate.version
    parts = [*seen.present.shadows, Part(version, "canary", step)]
    put(
        *(seen.workspace, seen.present, parts, "advance", seen.as_of, BY),
        why=f"{version}: {why}",
        evidence=seen.evidence,
        advances=True,
    )
    return seen.told("advanced", step, why)


def _crowned(seen: _Seen, why: str) -> Look:
    version = seen.workspace.registry.version(seen.candidate.version)
    crown(seen.workspace, version, seen.present, why, {"release": seen.evidence}, seen.as_of, BY)
    return seen.told("promoted", 1.0, why)


def _retire_who_went_back(workspace: Workspace, present: Release, as_of: datetime) -> None:
    """Retire a challenger that went back, also where a look was killed before it could."""
    if present.action != BACK:
        return
    version = workspace.registry.version(present.evidence["version"])
    if version.stage == "challenger":
        seen = {"release": dict(present.evidence)}
        workspace.registry.retire(version, why=present.why, evidence=seen, at=as_of, by=BY)
