"""The page of a replay: what each retraining policy would have earned and cost over the history."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from core.plain import plain
from reports.pages import render, write
from reports.replay.facts import arranged
from reports.svg import as_image


class Interval(TypedDict):
    """A value with its 95 % interval; null where it could not be measured."""

    value: float | None
    low: float | None
    high: float | None


class Point(TypedDict):
    """A batch under a policy: who answered it, how well, and what the policy then decided.

    `against_never` is the loss of the never-retrained model less this one's, `regret` this one's less the
    oracle's. `alarm` is true, false or missed, `answer` promoted, refused, rolled back or unfit.
    """

    batch: str
    version: str | None
    made_at: str | None
    loss: float | None
    headline: float | None
    against_never: Interval
    regret: Interval
    decision: str | None
    answer: str | None
    alarm: str | None


class Policy(TypedDict):
    """When and how to retrain, in words and as the spec would say it, and what came of it.

    What is a `bound` (the oracle, the first model frozen) is no policy. `net_value` is in the unit of the
    spec's costs, over all rows, against never retraining; null without costs.
    """

    name: str
    told: str
    settings: Mapping[str, Any]
    bound: bool
    batches: Sequence[Point]
    loss: float | None
    headline: float | None
    against_never: Interval
    regret: Interval
    retrainings: int
    promoted: int
    refused: int
    rolled_back: int
    training_seconds: float | None
    false_alarms: int | None
    missed_alarms: int | None
    batches_to_mend: float | None
    net_value: Interval | None


class Recommended(TypedDict):
    """The policy to take, what it is worth beyond another, how sure that is, and why.

    `sure` is the share of draws of days in which it is worth no less than the one it is held `against`,
    `best_of_all` that in which it is worth the most of all policies.
    """

    policy: str
    against: str
    margin: Interval
    sure: float | None
    best_of_all: float | None
    why: Sequence[str]


class BreakEven(TypedDict):
    """At what price of this kind the policy would be worth as much as the recommended one."""

    policy: str
    cost: str
    at: float | None


class Replay(TypedDict):
    """What a replay leaves: one history under each policy.

    A `question` of what if is told as it was asked.
    """

    project: str
    title: str
    as_of: str
    batches: Sequence[str]
    loss_name: str
    headline_name: str
    rows: int
    costs: Mapping[str, Any]
    policies: Sequence[Policy]
    present: str | None
    recommended: Recommended
    break_even: Sequence[BreakEven]
    findings: Sequence[str]
    wall_seconds: float | None
    report: str
    question: NotRequired[str]


def picture(facts: Replay) -> str:
    """The plot of what each policy gains by batch as a data: URI, on white, for foreign pages; or ""."""
    drawn = arranged(plain(facts))["plots"]["gains"]
    return as_image(str(drawn.svg)) if drawn else ""


def page(facts: Replay, folder: Path) -> Path:
    """Write `index.html` and `summary.json` into `folder`, and return the path of the page.

    The page is self-contained, opens offline, and stays under 3 MB. What is not finite becomes null.
    """
    target = folder / "index.html"
    told = plain({**facts, "report": str(target)})
    write(target, render("replay.html", **arranged(told)))
    write(folder / "summary.json", json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return target
