"""A whole site as the stages would have it written: a year, its datasets, versions, gates and a replay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from reports.data import dataset
from reports.data.dataset import DatasetFacts
from reports.lifecycle.page import Summary
from reports.lifecycle.page import page as lifecycle_page
from reports.pages import SITE
from reports.replay.page import Interval, Replay
from reports.site import Duel, Made, Site, build
from tests.reports.conftest import year
from tests.reports.replays import replay

FAMILIES = ("linear", "lightgbm", "torch")
NASTY = '<img src="http://evil">&"\' $x_1$'


def history() -> Summary:
    """The year, with estimates, intervals and what drifted, and with links to cards and drift pages."""
    facts = year()
    for batch in facts["batches"]:
        score = batch["auc"]
        if score is None:
            continue
        batch["intervals"] = {"auc": [score - 0.03, score + 0.03]}
        batch["measures"] = {"auc": score, "log_loss": batch["log_loss"], "relative_loss": 0.85}
        batch["estimates"] = {
            "auc": {"value": score + 0.01, "low": score - 0.04, "high": score + 0.06, "naive": 0.72,
                    "error": 0.01, "naive_error": 0.02},
        }  # fmt: skip
        batch["drifted"] = [name for name, value in batch["feature_drift"].items() if (value or 0) > 0.25]
    for version in facts["versions"]:
        version["card"] = f"../models/{version['version'].rpartition('/')[2]}.html"
    return facts


def made(number: int, family: str, as_of: str, **facts: Any) -> Made:
    """A version by its number."""
    told: dict[str, Any] = {
        "version": f"flights/{number}",
        "family": family,
        "stage": "retired",
        "as_of": as_of,
        "batches": ["2013-01", "2013-02", "2013-03"],
        "tables": {"features": 12, "outcomes": 11},
        "code": "bacc6c6e08f5ac6607fd58c7bac63c082de9d73b",
        "settings": "a3b972d5b58ce6cc0547bc7f21f7d95d",
        "seed": 20130101,
        "packages": {"polars": "2.1.0"},
        "parameters": {family: {"depth": 4}},
        "learnt_until": "2013-02-20T02:55:00+00:00",
        "trained_until": "2013-03-06T02:55:00+00:00",
        "calibrated_since": None,
        "starts": {},
        "keeps": None,
        "seconds": 8.25,
        "holdout": {"auc": Interval(value=0.7 + number / 100, low=0.69 + number / 100, high=None)},
    }
    return cast(Made, told | facts)


def duel(number: int, against: str | None, at: str, accepted: bool, **facts: Any) -> Duel:
    """A challenger before the gate."""
    low = 0.005 if accepted else -0.004
    told: dict[str, Any] = {
        "version": f"flights/{number}",
        "against": against,
        "at": at,
        "accepted": accepted,
        "rows": 24_549,
        "gain": Interval(value=None, low=low, high=0.02),
        "limit": 0.0,
        "reasons": ["better: gain +0.0125 in log_loss; its low end must be above 0"],
    }
    return cast(Duel, told | facts)


def site(**facts: Any) -> Site:
    """Three versions, two of which were champion, and one that was refused."""
    first, second, third = (
        "2013-04-03T04:00:00+00:00",
        "2013-06-03T04:00:00+00:00",
        "2013-10-03T04:00:00+00:00",
    )
    told: dict[str, Any] = {
        "project": "flights",
        "title": "Late arrivals from New York",
        "business": "Tell passengers how likely it is to arrive late.",
        "as_of": "2014-01-03T05:00:00+00:00",
        "metric": "log_loss",
        "reigns": [
            {"version": "flights/2", "since": first, "until": second},
            {"version": "flights/5", "since": second, "until": None},
        ],
        "duels": [
            duel(2, None, first, True),
            duel(5, "flights/2", second, True),
            duel(8, "flights/5", third, False),
        ],
        "made": [
            made(2, "lightgbm", first),
            made(5, "torch", second, stage="champion", starts={"torch": "flights/2"}),
            made(8, "linear", third, keeps="flights/5", calibrated_since=second, starts={}),
        ],
        "alerts": [{"severity": "warning", "title": "retrain after 2013-09", "since": third, "seen": 2}],
    }
    return cast(Site, told | facts)


def datasets(history: Summary) -> list[DatasetFacts]:
    """The events, batch by batch as in the history, and a dataset that nothing came of yet."""
    batches = [
        {name: batch[name] for name in ("batch", "received", "accepted", "quarantined")}  # type: ignore[literal-required]
        | {"stopped": batch.get("stopped")}
        for batch in history["batches"]
    ]
    side = {"rows": 10, "missing": 1, "infinite": 0, "distinct": 3, "least": 0.0, "middle": 1.0, "most": 9.0,
            "counts": [0, 4, 5, 0]}  # fmt: skip
    column = {"column": "distance", "kind": "number", "edges": [0.0, 4.0, 9.0], "labels": [], "psi": 0.3,
              "current": side, "reference": side}  # fmt: skip
    failing = {"expectation": "expect_column_values_to_be_between", "column": "distance",
               "severity": "warning", "batches": {"2013-02": 6}, "detail": "", "examples": []}  # fmt: skip
    about = {"project": history["project"], "title": history.get("title", ""), "source": "files",
             "key": ["id"], "event_time": "at", "known_at": None,
             "max_share": 0.05, "quarantine": []}  # fmt: skip
    distributions = {"batch": "2013-12", "reference": "2013-01", "timezone": "UTC", "threshold": 0.2,
                     "columns": [column]}  # fmt: skip
    events = {"dataset": "flights", "batches": batches, "failing": [failing], "distributions": distributions}
    nothing = {"dataset": "planes", "batches": [], "failing": [], "distributions": None}
    return cast(list[DatasetFacts], [about | events, about | nothing])


def write_site(
    folder: Path, facts: Site | None = None, past: Summary | None = None, replayed: Replay | None = None
) -> Path:
    """Write every page into `folder`, an empty one for each card and drift page; the path of the overview."""
    past = past or history()
    lifecycle_page(past, folder / "lifecycle")
    for each in datasets(past):
        dataset.page(each, folder / "datasets" / each["dataset"])
    elsewhere: Sequence[str | None] = [
        *(version.get("card") for version in past["versions"]),
        *(batch.get("drift_page") for batch in past["batches"]),
    ]
    for link in filter(None, elsewhere):
        path = folder / "lifecycle" / link
        path.parent.mkdir(exist_ok=True)
        path.write_text("<!DOCTYPE html><html lang='en'><title>elsewhere</title></html>")
    return build_site(folder, facts, past, replayed)


def build_site(
    folder: Path, facts: Site | None = None, past: Summary | None = None, replayed: Replay | None = None
) -> Path:
    """Write the pages of the site alone, but for its history; the path of the overview."""
    past = past or history()
    return build(facts or site(), past, datasets(past), replayed, folder)


def every_page(folder: Path) -> list[Path]:
    """The pages of the site and of its datasets."""
    return [folder / page for page in SITE.values()] + sorted(folder.glob("datasets/*/index.html"))


__all__ = ["NASTY", "build_site", "duel", "every_page", "history", "made", "replay", "site", "write_site"]
