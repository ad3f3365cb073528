"""The page of a whole lifecycle: how the model did, when it was retrained and why, what was set aside."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from core.errors import PerennialError
from reports.lifecycle.facts import arranged, performance
from reports.pages import render, write
from reports.svg import as_image


class Point(TypedDict):
    """A bin of a calibration curve: mean probability, observed rate, rows."""

    predicted: float
    observed: float
    rows: int


class Estimated(TypedDict):
    """A measure as it was estimated without labels, with its 95 % interval, and the guess that all stays.

    The errors of both (each less what came) are null until all outcomes are in.
    """

    value: float | None
    low: float | None
    high: float | None
    naive: float | None
    error: float | None
    naive_error: float | None


class Asked(TypedDict):
    """The retraining that a decision asked for: open, running, done, failed or skipped, and why."""

    number: int
    state: str
    why: str


class Batch(TypedDict):
    """What came of one batch. `auc` and `log_loss` are realised, null before there is a champion.

    `champion` is the version that scored it; `drift` the share (0 to 1) of its importance in
    inputs that drifted; `decision` what is to be done (see `monitoring.policy.Action`), or null where
    none was due, with its reasons, the weightiest first. `challenger` is the version that met the
    champion in the gate after the batch, `retrained` the one that serves from then on because of the
    decision: that challenger, or an earlier version that was rolled back to. Each is null where there
    is none.
    """

    batch: str
    received: int
    accepted: int
    quarantined: int
    champion: str | None
    auc: float | None
    log_loss: float | None
    drift: float | None
    decision: str | None
    reasons: Sequence[str]
    status: NotRequired[str]  # "accepted" or "stopped"
    stopped: NotRequired[str | None]  # why the whole batch was stopped
    quarantine_reasons: NotRequired[Mapping[str, int]]  # rows by reason
    auc_interval: NotRequired[Sequence[float | None] | None]  # low, high (95 %)
    baseline_auc: NotRequired[float | None]  # the linear baseline on the same rows
    measures: NotRequired[Mapping[str, float | None]]  # all that are realised, by name
    intervals: NotRequired[Mapping[str, Sequence[float | None]]]  # of them, low and high (95 %)
    baseline: NotRequired[Mapping[str, float | None]]  # the measures of the baseline on the same rows
    base_rate: NotRequired[float | None]
    calibration_error: NotRequired[float | None]
    calibration: NotRequired[Sequence[Point]]
    prediction_drift: NotRequired[float | None]
    feature_drift: NotRequired[Mapping[str, float | None]]
    drifted: NotRequired[Sequence[str]]  # of these features; by default those from the threshold on
    challenger: NotRequired[str | None]
    retrained: NotRequired[str | None]
    drift_page: NotRequired[str | None]  # link, relative to the page
    final: NotRequired[bool | None]  # False while outcomes are due: the measures are provisional
    estimates: NotRequired[Mapping[str, Estimated]]  # what was to be expected without labels, by measure
    request: NotRequired[Asked | None]  # what the decision asked for


class File(TypedDict):
    """A file of a version. Latency is of one row, in microseconds; a file not `kept` failed its checks."""

    name: str
    bytes: NotRequired[int | None]
    sha256: NotRequired[str | None]
    p50_us: NotRequired[float | None]
    p99_us: NotRequired[float | None]
    kept: NotRequired[bool]
    note: NotRequired[str | None]


class Version(TypedDict):
    """A model version. `metrics` are of its holdout: auc, log_loss, calibration_error and others."""

    version: str
    family: str
    stage: str
    metrics: Mapping[str, float | None]
    files: Sequence[File]
    card: NotRequired[str]  # link to its card, relative to the page


class Summary(TypedDict):
    """The facts of a lifecycle, batches in order of time: what `summary.json` holds."""

    project: str
    wall_seconds: float
    batches: Sequence[Batch]
    versions: Sequence[Version]
    report: NotRequired[str]  # the path of the page, written by `page`
    title: NotRequired[str]
    importance: NotRequired[Mapping[str, float]]  # of the last champion, feature to share
    drift_threshold: NotRequired[float | None]  # None: drift is not watched
    headlines: NotRequired[Sequence[str]]  # the two measures shown, by default auc and log_loss
    relative_loss_name: NotRequired[str]  # what the relative loss of the problem is called


def page(summary: Summary, folder: Path) -> Path:
    """Write `index.html` and `summary.json` into `folder`, and return the path of the page.

    The page is self-contained, opens offline, and stays under 3 MB. A value that is not finite
    becomes null. PerennialError when there are no batches.
    """
    target = folder / "index.html"
    facts: dict[str, Any] = _plain({**summary, "report": str(target)})
    if not facts["batches"]:
        raise PerennialError(f"{facts['project']}: a lifecycle without a batch has nothing to report")
    write(target, render("lifecycle.html", **arranged(facts)))
    write(folder / "summary.json", json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return target


def picture(summary: Summary) -> str:
    """The plot of the first headline by batch as a data: URI, on white, for foreign pages; or ""."""
    drawn = performance(_plain(summary))
    return as_image(drawn) if drawn else ""


def _plain(value: Any) -> Any:
    """The value as JSON can say it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
