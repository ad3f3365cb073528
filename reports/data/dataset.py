"""The page of a dataset: what came in, batch by batch, what failed, and how its columns are distributed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from core.plain import plain
from reports.data.dataset_facts import arranged
from reports.pages import SITE, render, write


class Delivery(TypedDict):
    """One delivery as the manifest has it; `repeats` names an earlier one of the same content.

    One that is not `present` was replaced or taken back. `batch` is that for which it was
    delivered, if it was for one. `as_of` is ISO text.
    """

    name: str
    rows: int
    digest: str
    as_of: str
    repeats: str | None
    present: bool
    batch: NotRequired[str | None]


class Held(TypedDict):
    """The rows of a batch that the lake holds, counted there."""

    accepted: int
    quarantined: int


class Batch(TypedDict):
    """What came of one batch.

    `stopped` says why nothing was accepted, `refused` why the newest delivery could not be read;
    the numbers are then those of the delivery before, or 0.
    """

    batch: str
    received: int
    accepted: int
    quarantined: int
    stopped: str | None
    refused: NotRequired[str | None]
    alerts: NotRequired[Sequence[str]]
    engine: NotRequired[str | None]
    released: NotRequired[int]  # rows let out of quarantine since they were received
    held: NotRequired[Held]
    gap: NotRequired[Sequence[str]]  # batches just before it that were not ingested


class Example(TypedDict):
    """A value that failed, as text (None for null); `batch` and `row` say where, if that is known."""

    value: str | None
    batch: str
    row: int | None


class Failing(TypedDict):
    """What failed in at least one batch: an expectation, or a check that comes before them.

    `batches` maps each batch in which it failed to its failing rows, 0 where no row is to blame, in
    order of time. `detail` is what was said of the newest of them.
    """

    expectation: str
    column: str
    severity: Literal["critical", "warning", "info"]
    batches: Mapping[str, int]
    detail: str
    examples: Sequence[Example]


class Reason(TypedDict):
    """Why a row was set aside."""

    expectation: str
    column: str
    value: str | None


class SetAside(TypedDict):
    """A quarantined row: `record` is JSON as delivered, `position` its place in the delivery."""

    batch: str
    row: int
    delivery: str | None
    position: int | None
    reasons: Sequence[Reason]
    record: str


class Side(TypedDict):
    """A column in one batch. `least`, `middle` (the median) and `most` are numbers, or texts for instants.

    `counts` are the rows in each bin of the column: for a histogram those below the first edge,
    between the edges, above the last one; otherwise those of each label, and of all other values.
    """

    rows: int
    missing: int  # null or NaN
    infinite: int
    distinct: int | None
    least: float | str | None
    middle: float | str | None
    most: float | str | None
    counts: Sequence[int]


class Column(TypedDict):
    """A column in the newest accepted batch beside the reference; `psi` is None where it says nothing.

    A "number" and an "hour" (of the day, of an instant) have `edges`, bars between them; a
    "category", "boolean" and "weekday" (of a date) have `labels`; "other" has neither.
    """

    column: str
    kind: Literal["number", "category", "boolean", "hour", "weekday", "other"]
    edges: Sequence[float]
    labels: Sequence[str]
    psi: float | None
    current: Side
    reference: Side | None


class Distributions(TypedDict):
    """The columns of a batch; `threshold` is the population stability index that counts as large."""

    batch: str
    reference: str | None
    timezone: str
    threshold: float
    columns: Sequence[Column]


class Refusal(TypedDict):
    """A delivery that could not be read, and why."""

    name: str
    why: str


class DatasetFacts(TypedDict):
    """All that the page tells, batches in order of time: what `summary.json` holds."""

    project: str
    dataset: str
    title: str
    source: str
    key: Sequence[str]
    event_time: str | None
    known_at: str | None
    max_share: float
    batches: Sequence[Batch]
    failing: Sequence[Failing]
    quarantine: Sequence[SetAside]
    distributions: Distributions | None
    refused: NotRequired[Sequence[Refusal]]  # deliveries of no batch in particular
    deliveries: NotRequired[Sequence[Delivery]]  # the newest last
    report: NotRequired[str]  # the path of the page, written by `page`


def page(facts: DatasetFacts, folder: Path) -> Path:
    """Write `index.html` and `summary.json` into `folder`, and return the path of the page.

    The page is self-contained, opens offline, and stays under 3 MB at a thousand batches. A value
    that is not finite becomes null; a dataset without a batch has a page that says so. It leads to the
    other pages of the project's site once these are there.
    """
    target = folder / "index.html"
    told = plain({**facts, "report": str(target)})
    site = SITE if (folder.parents[1] / SITE["Overview"]).is_file() else {}
    write(target, render("dataset.html", site=site, **arranged(told)))
    write(folder / "summary.json", json.dumps(told, indent=1, allow_nan=False) + "\n")
    return target
