"""The commands about releases: who answers how much of the traffic."""

import argparse
import time
from datetime import UTC, datetime
from typing import get_args

from core.errors import SpecError
from core.settings import Settings
from core.words import nearest
from flows.backend import backend
from flows.running import alone, hush
from models.registry.releases import Role
from models.registry.versions import Version
from monitoring.release.trial import Trial, TrialMetric
from stages.release.change import end, in_force
from stages.release.give import give, test
from stages.release.look import Look
from stages.workspace import Workspace, open_workspace

BY = "make release"
LOOK = 10.0  # seconds between two looks at a release that is followed
OVER = ("promoted", "rolled back", "ended")
ROLES: tuple[Role, ...] = ("canary", "shadow", "test")

METRICS: tuple[TrialMetric, ...] = get_args(TrialMetric)


def release(settings: Settings, arguments: argparse.Namespace) -> int:
    """Give a version a share of the traffic, or all of it by steps, which are followed to their end.

    Without a version the release that is on its way is followed.
    """
    workspace = open_workspace(arguments.project, settings)
    if arguments.share is None:
        return _follow(settings, workspace, arguments.version)
    if not arguments.version:
        raise SpecError("whose share? Say VERSION=shop/7, or another that `make status` lists")
    version, share = workspace.registry.version(arguments.version), _share(arguments.share)
    with alone(settings, workspace):
        if share == 0:
            end(workspace, version.id, datetime.now(UTC), BY)
        elif (role := _role(arguments.role)) == "test":
            test(workspace, version, share, _trial(workspace, version, arguments), datetime.now(UTC), BY)
        else:
            give(workspace, version, role, share, datetime.now(UTC), BY)
    print(f"release: {in_force(workspace)}")
    return 0


def _follow(settings: Settings, workspace: Workspace, version: str | None) -> int:
    """Begin the release of a version, if one is named, and look at what is on its way until it is over."""
    name, told = workspace.project.name, ""
    with backend(settings) as server:
        from flows.progressive_release import progressive_release

        hush()
        server.wait()
        while True:
            with alone(settings, workspace):
                looked = progressive_release(name, version)
            version = None
            if looked is None:
                print(f"release: {in_force(workspace)}")
                return 0
            if (line := _told(looked)) != told:
                print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)
            told = line
            if looked.outcome in OVER or not _goes_on(workspace):
                return 1 if looked.outcome == "rolled back" else 0
            time.sleep(LOOK)


def _goes_on(workspace: Workspace) -> bool:
    """Whether there is more to come without a hand: Ctrl-C leaves it as it stands, and others look on."""
    present = in_force(workspace)
    return present.advances or present.test is not None


def _told(looked: Look) -> str:
    """What a look came to, and below it what each watch says."""
    head = f"{looked.version} {looked.outcome}, {100 * looked.now:g} % of the traffic"
    watched = [f"  {watch.name:<16} {watch.state:<7} {watch.reason}" for watch in looked.watches]
    return "\n".join([f"{head}: {'; '.join(looked.reasons)}", *watched])


def _role(said: str | None) -> Role:
    """The part that is asked for: that of a canary, where nothing is said."""
    role = next((each for each in ROLES if each == (said or "canary")), None)
    if role is None:
        raise SpecError(f"ROLE={said}: no such part{nearest(said, ROLES)}")
    return role


def _share(text: str) -> float:
    """A share as `0.1` or `10%`; SpecError for what is none."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise SpecError(f"SHARE={text}: should be a share of the traffic from 0 to 1, or a percentage")
    return share


def _trial(workspace: Workspace, version: Version, arguments: argparse.Namespace) -> Trial:
    """What is tested, as stated; by the loss, on as many entities as a step has requests, by default."""
    metric = next((each for each in METRICS if each == (arguments.metric or "loss")), None)
    if metric is None:
        raise SpecError(f"METRIC={arguments.metric}: no such metric{nearest(arguments.metric, METRICS)}")
    minimum = arguments.minimum or workspace.spec.release.requests
    maximum = arguments.maximum or 100 * minimum
    return Trial(in_force(workspace).champion, version.id, metric, minimum, maximum)
