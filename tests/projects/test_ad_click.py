"""The ad_click project on real clicks: what is set aside, what a click knows, and what it does not."""

import importlib.util
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from core.projects import Project, load
from core.settings import CHECKOUT, Settings
from features.declared import columns_asked, plain
from features.derived import expressions
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise
from stages.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow

AS_OF = datetime(2013, 3, 2, tzinfo=UTC)
# What is planted, a click each: what is wrong with it, and the column that is blamed.
WRONG: Mapping[str, tuple[dict[str, str], str]] = {
    "out before in": ({"srch_ci": "2013-03-05", "srch_co": "2013-03-01"}, "srch_co"),
    "a year to come": ({"srch_ci": "2557-08-17", "srch_co": "2557-08-18"}, "srch_ci"),
    "no such channel": ({"channel": "99"}, "channel"),
    "no user": ({"user_id": ""}, "user_id"),
    "beyond the antipodes": ({"orig_destination_distance": "14000"}, "orig_destination_distance"),
    "booked, or not": ({"is_booking": ""}, "is_booking"),
    "a session of none": ({"cnt": "0"}, "cnt"),
}


@pytest.fixture(scope="module")
def project() -> Project:
    return load("ad_click", Settings())


@pytest.fixture(scope="module")
def clicks() -> pl.DataFrame:
    """The clicks of January and February 2013 as delivered: every column a string."""
    found = importlib.util.find_spec("pytimetk")
    if found is None or not found.submodule_search_locations:
        pytest.skip("pytimetk is not installed: make data PROJECT=ad_click")
    path = Path(found.submodule_search_locations[0]) / "datasets" / "expedia.csv"
    every = pl.read_csv(path, infer_schema=False)
    return every.filter(pl.col("date_time") < "2013-03-01").sort("date_time")


@pytest.fixture(scope="module")
def workspace(clicks: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two months that were ingested and featurised, with what is wrong and one repetition among them."""
    root = tmp_path_factory.mktemp("ad_click")
    folder = root / "projects" / "ad_click"
    shutil.copytree(CHECKOUT / "projects" / "ad_click", folder)
    document = yaml.safe_load((folder / "project.yaml").read_text())
    document["datasets"]["clicks"]["source"] = {"kind": "files", "path": "clicks.csv"}
    document["batches"] |= {"start": "2013-01-01", "end": "2013-03-01"}
    (folder / "project.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    february = clicks.filter(pl.col("date_time") >= "2013-02-01")
    planted = [
        february[place].with_columns(pl.lit(value).alias(name) for name, value in wrong.items())
        for place, (wrong, _) in enumerate(WRONG.values())
    ]
    pl.concat([clicks[: -february.height], *planted, february[len(WRONG) :], february[-1]]).write_csv(
        folder / "clicks.csv"
    )
    settings = Settings(home=root / "state", projects=root / "projects", suites=CHECKOUT / "expectations")
    workspace = open_workspace("ad_click", settings)
    batches = workspace.batches(AS_OF)
    for item in pending(workspace, "clicks", batches):
        deliver(workspace, "clicks", item, AS_OF)
    for batch in batches:
        ingest(workspace, "clicks", batch, AS_OF)
        featurise(workspace, batch, AS_OF)
    return workspace


def test_what_makes_no_sense_is_set_aside_and_nothing_else(
    workspace: Workspace, clicks: pl.DataFrame
) -> None:
    results = workspace.ledger.results("ingest/clicks")
    february = results["2013-02"]
    assert results["2013-01"]["quarantined"] == 0
    assert february["received"] == clicks.filter(pl.col("date_time") >= "2013-02-01").height + 1
    assert february["quarantined"] == len(WRONG) + 1  # and the repetition
    reasons = " ".join(february["reasons"])
    for what, (_, column) in WRONG.items():
        assert column in reasons, what


def test_a_click_sees_earlier_clicks_and_bookings_that_were_settled(workspace: Workspace) -> None:
    raw = workspace.lake.scan("raw/clicks").sort("date_time").collect()
    rows = workspace.lake.scan("features", ["2013-02"]).collect()
    busy = rows.filter(pl.col("user_clicks_365d") > 0)
    assert busy.height > 20
    for row in busy.head(20).iter_rows(named=True):
        before = raw.filter(
            (pl.col("user_id") == row["user_id"]) & (pl.col("date_time") < row["decision_time"])
        )
        assert row["user_clicks_365d"] == before.height
        known = raw.filter(pl.col("date_time") + pl.duration(days=1) <= row["decision_time"])
        rate = known["is_booking"].mean()
        its = known.filter(pl.col("hotel_cluster") == row["hotel_cluster"])["is_booking"]
        assert row["cluster_rate"] == pytest.approx((its.sum() + 50 * rate) / (len(its) + 50), rel=1e-5)


def test_no_feature_reads_what_a_click_does_not_know(project: Project) -> None:
    read = set(columns_asked(plain(project.spec)))
    for each in expressions(project.spec, project.functions).values():
        read |= set(each.meta.root_names())
    assert not {"cnt", "is_booking", "settled_at"} & read
    past = {each.value for each in plain(project.spec).values() if hasattr(each, "value")}
    assert "cnt" not in past


def test_dates_of_a_search_become_nights_and_days_ahead(project: Project) -> None:
    clicked = datetime(2014, 5, 7, 18, tzinfo=UTC)  # a Wednesday
    dates = {
        (date(2014, 5, 9), date(2014, 5, 11)): (2, 2, True),  # Friday to Sunday
        (date(2014, 5, 9), date(2014, 5, 10)): (1, 2, False),
        (date(2014, 5, 11), date(2014, 5, 17)): (6, 4, False),  # Sunday to Saturday
        (date(2014, 5, 6), date(2014, 5, 6)): (0, -1, False),
        (date(2014, 5, 9), date(2014, 9, 9)): (None, 2, None),
        (date(2016, 5, 9), None): (None, None, None),
    }
    frame = pl.DataFrame(
        {
            "date_time": [clicked] * len(dates),
            "srch_ci": [came for came, _ in dates],
            "srch_co": [went for _, went in dates],
        },
        schema_overrides={"srch_ci": pl.Date, "srch_co": pl.Date},
    )
    made = [project.functions[name]() for name in ("nights", "days_ahead", "saturday_night")]
    assert frame.select(made[0].alias("a"), made[1].alias("b"), made[2].alias("c")).rows() == list(
        dates.values()
    )


def test_adults_share_the_rooms_that_there_are(project: Project) -> None:
    frame = pl.DataFrame({"srch_adults_cnt": [3, 2, 2], "srch_rm_cnt": [2, 1, 0]})
    assert frame.select(project.functions["adults_per_room"]()).to_series().to_list() == [1.5, 2.0, None]
