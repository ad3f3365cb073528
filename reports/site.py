"""The site of a project: a page for each thing to look at, in one folder that opens offline."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from core.plain import plain
from reports import overview
from reports.data import page as data_page
from reports.data.dataset import DatasetFacts
from reports.lifecycle.page import Summary
from reports.lineage import page as lineage_page
from reports.models import page as models_page
from reports.monitoring import page as monitoring_page
from reports.pages import SITE, render, write
from reports.replay import page as replay_page
from reports.replay.page import Interval, Replay


class Alert(TypedDict):
    """An alert of what goes on, seen so many times since an instant (ISO text)."""

    severity: str
    title: str
    since: str
    seen: int


class Reign(TypedDict):
    """Who was champion from an instant to another; `until` is null for the present one."""

    version: str
    since: str
    until: str | None


class Duel(TypedDict):
    """A challenger before the gate: what it gains on the champion (null: the best constant), and the answer.

    `gain` is the 95 % interval of the champion's loss less its own, `limit` what its low end must exceed.
    Both are null where there was nothing to compute with.
    """

    version: str
    against: str | None
    at: str
    accepted: bool
    rows: int
    gain: Interval | None
    limit: float | None
    reasons: Sequence[str]


class Made(TypedDict):
    """What made a version, and how good it was on its holdout (a 95 % interval a measure)."""

    version: str
    family: str
    stage: str
    as_of: str
    batches: Sequence[str]
    tables: Mapping[str, int]
    code: str
    settings: str
    seed: int
    packages: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, Any]]
    learnt_until: str | None
    trained_until: str
    calibrated_since: str | None
    starts: Mapping[str, str]
    keeps: str | None
    seconds: float | None
    holdout: Mapping[str, Interval]


class Site(TypedDict):
    """What the site tells beside the history and the datasets: what `summary.json` at its root holds.

    `metric` names the loss that models are compared by.
    """

    project: str
    title: str
    business: str
    as_of: str
    metric: str
    reigns: Sequence[Reign]
    duels: Sequence[Duel]
    made: Sequence[Made]
    alerts: Sequence[Alert]


def build(
    site: Site, history: Summary, datasets: Sequence[DatasetFacts], replayed: Replay | None, folder: Path
) -> Path:
    """Write the pages of the site into `folder`, but for those of the history, datasets and versions.

    Each opens offline and stays under 3 MB. Returns the path of the overview.
    """
    told, past, held = plain(site), plain(history), plain(datasets)
    pages = {
        "Overview": overview.arranged(told, past, held, plain(replayed)),
        "Data": data_page.arranged(past, held),
        "Models": models_page.arranged(told, past),
        "Monitoring": monitoring_page.arranged(told, past),
        "Lineage": lineage_page.arranged(told, past),
    }
    about = {name: told[name] for name in ("project", "title", "as_of")}
    for name, facts in pages.items():
        write(folder / SITE[name], render(f"{name.lower()}.html", **about, **facts))
    replay_page.page(replayed, folder / "replay") if replayed else _no_replay(about, folder)
    write(folder / "summary.json", json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return folder / SITE["Overview"]


def _no_replay(about: Mapping[str, Any], folder: Path) -> None:
    write(folder / SITE["Replay"], render("no_replay.html", **about))
