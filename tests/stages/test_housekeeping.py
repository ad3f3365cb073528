"""Housekeeping takes what is out of use; what is told, trained on or still read stays as it was."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from core.errors import PerennialError
from models.registry.versions import Version
from stages.check import check
from stages.data.deliver import pending
from stages.data.ingest import Ingested, ingest
from stages.data.release_quarantine import release_quarantine
from stages.data.retained import gone
from stages.features.featurise import featurise
from stages.housekeeping.housekeep import STEPS, housekeep
from stages.housekeeping.housekept import Housekept, Instants
from stages.models.archive import archive_path, restore
from stages.models.recalibrate import recalibrate
from stages.models.reproduce import reproduce
from stages.models.train import train
from stages.monitoring.estimate import holdout
from stages.monitoring.monitor import judge_batch
from stages.monitoring.profiled import ANSWERS, INPUTS, answered, profiled
from stages.score import score
from stages.stale import forget_removed, found_stale
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import AS_OF, fits, make_orders, write_spec

pytestmark = pytest.mark.slow

MADE = ("features", "outcomes", "predictions")
DAY = 86_400  # seconds


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Orders of five months without a model, and a vacuum that waits for nobody."""
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr("stages.housekeeping.tables.HOURS", 0)
    return make_orders(tmp_path)


def keep(workspace: Workspace, *, at: datetime = AS_OF, later: timedelta = timedelta()) -> Housekept:
    """Do every step, on a machine whose clock is so much later than the files' own."""
    instants, found = Instants(at, datetime.now(UTC) + later), Housekept(workspace.project.name, at)
    for step in STEPS:
        found.add(housekeep(workspace, step, instants))
    return found


def again(workspace: Workspace, **changes: Any) -> Workspace:
    """The same with other words in its spec."""
    write_spec(workspace.settings, "binary", **changes)
    return open_workspace("orders", workspace.settings)


def matured(workspace: Workspace, batch: str) -> datetime:
    return workspace.batch(batch).end + timedelta(days=1)


def trained(workspace: Workspace, batch: str) -> Version:
    (found,) = fits(workspace, matured(workspace, batch))
    return workspace.registry.version(found)


def batches_in(workspace: Workspace, table: str) -> list[str]:
    return workspace.lake.scan(table).select(pl.col("batch").unique().sort()).collect()["batch"].to_list()


def lines(found: Housekept, step: str) -> list[str]:
    assert found.faults == []
    return [f"{line.subject}: {line.done}" for line in found.lines if line.step == step]


def facts(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {
        step: workspace.ledger.results(step) for step in ("ingest/orders", "features", "score", "monitor")
    }


def old(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(each, (then, then))


# -- retention


KEPT = {"retention": {"raw": "60d", "quarantine": "60d", "features": "92d", "predictions": "30d"}}
WINDOW = {"training": {"window": "90d"}}


def lived(workspace: Workspace) -> Workspace:
    """Champion, scores and judgements of the months from March on."""
    version = trained(workspace, "2013-02")
    at = version.lineage.as_of
    workspace.registry.promote(version, over=None, why="test", evidence={}, at=at, by="test")
    for batch in workspace.batches(AS_OF, "2013-03"):
        score(workspace, batch, batch.end)
        judge_batch(workspace, batch, matured(workspace, batch.id))
    return workspace


def test_batches_past_their_retention_are_gone_and_what_is_told_of_them_is_not(orders: Workspace) -> None:
    before, workspace = facts(lived(orders)), again(orders, **KEPT, **WINDOW)
    found = keep(workspace)
    assert batches_in(workspace, "raw/orders") == ["2013-04", "2013-05"]
    assert (
        batches_in(workspace, "features")
        == batches_in(workspace, "outcomes")
        == ["2013-03", "2013-04", "2013-05"]
    )
    assert batches_in(workspace, "predictions") == ["2013-05"]
    assert facts(workspace) == before
    assert all(
        it["received"] == it["accepted"] + it["quarantined"] for it in before["ingest/orders"].values()
    )
    told = lines(found, "retention")
    assert "raw/orders: deleted 3 batches, 2013-01 to 2013-03" in told
    assert "predictions: deleted 2 batches, 2013-03 to 2013-04" in told
    assert {batch: it["rows"]["raw/orders"] for batch, it in gone(workspace, "raw/orders").items()} == {
        batch: before["ingest/orders"][batch]["accepted"] for batch in ("2013-01", "2013-02", "2013-03")
    }


def test_a_second_time_finds_nothing_to_do_and_changes_no_table(orders: Workspace) -> None:
    workspace = again(lived(orders), **KEPT, **WINDOW)
    keep(workspace)
    versions = {table: workspace.lake.version(table) for table in ("raw/orders", *MADE)}
    assert lines(keep(workspace), "retention") == []
    assert {table: workspace.lake.version(table) for table in versions} == versions


def test_nothing_that_was_deleted_on_purpose_is_made_again(orders: Workspace) -> None:
    """Neither by the same rules nor by others, nor where a table was lost, nor is it called stale."""
    before, workspace = facts(lived(orders)), again(orders, **KEPT, **WINDOW)
    keep(workspace)
    tables = {table: workspace.lake.scan(table).collect() for table in ("raw/orders", *MADE)}
    changed = again(
        orders,
        **KEPT,
        **WINDOW,
        quarantine={"max_share": 0.4},
        features={"city": {"from": "row", "column": "city", "kind": "category", "unit": "m"}},
        monitoring={"min_rows": 90},
        decision={"before": "at", "lead": "1h"},
    )
    first = changed.batch("2013-01")
    assert pending(changed, "orders", changed.batches(AS_OF)) == []
    assert ingest(changed, "orders", first, AS_OF) == Ingested(**before["ingest/orders"]["2013-01"])
    featurise(changed, first, AS_OF)
    assert found_stale(changed, AS_OF)["features"] == ["2013-04", "2013-05"]
    assert set(found_stale(changed, AS_OF)["judgements"]) <= {"2013-05"}
    march = changed.batch("2013-03")
    changed.ledger.record("score", march.id, "by another champion", before["score"][march.id], AS_OF)
    score(changed, march, march.end)
    judge_batch(changed, march, matured(changed, "2013-03"))
    assert facts(changed) == before
    for table, frame in tables.items():
        assert_frame_equal(changed.lake.scan(table).collect(), frame, check_row_order=False)
    with pytest.raises(PerennialError, match="its rows were deleted, as `retention` says"):
        release_quarantine(changed, "orders", first, AS_OF)
    Path(changed.lake.path("raw/orders")).rename(changed.settings.home / "lost")
    forget_removed(changed)
    assert list(changed.ledger.results("ingest/orders")) == ["2013-01", "2013-02", "2013-03"]


def test_what_was_summed_up_of_deleted_rows_is_not_made_anew_of_none(orders: Workspace) -> None:
    """Profiles stay, and days that a version was held out of are read as they were when it was trained."""
    workspace = lived(orders)
    version = workspace.registry.champion("orders")
    assert version is not None
    held_out, march = holdout(workspace, version), workspace.batch("2013-03")
    assert len(held_out) > 7
    profiles = {table: workspace.lake.scan(table, [march.id]).collect() for table in (INPUTS, ANSWERS)}
    short = {"features": "1d", "predictions": "1d"}
    workspace = again(orders, retention=short, training={"window": "30d"})
    keep(workspace)
    assert batches_in(workspace, "features") == ["2013-05"] and march.id in batches_in(workspace, INPUTS)
    for step, subject in (("holdout", version.id), ("profile", march.id), ("profile/predictions", march.id)):
        workspace.ledger.forget(step, subject)
    assert holdout(workspace, version) == held_out
    assert profiled(workspace, march, AS_OF)["rain"].tally.rows == profiles[INPUTS]["rows"][0] > 0
    assert answered(workspace, march, AS_OF)["prediction"].tally.rows == profiles[ANSWERS]["rows"][0] > 0
    for table, frame in profiles.items():
        assert_frame_equal(workspace.lake.scan(table, [march.id]).collect(), frame, check_row_order=False)


def test_what_comes_after_is_judged_and_calibrated_anew_though_the_rows_of_the_fit_are_gone(
    orders: Workspace,
) -> None:
    before, may = facts(lived(orders))["monitor"]["2013-05"], orders.batch("2013-05")
    workspace = again(orders, retention={"raw": "1d", "features": "1d"}, training={"window": "30d"})
    keep(workspace)
    assert batches_in(workspace, "features") == [may.id]
    workspace.ledger.forget("monitor", may.id)
    judged = judge_batch(workspace, may, matured(workspace, may.id))
    assert judged is not None
    assert (judged.measures, judged.drift, judged.blocks) == tuple(
        before[name] for name in ("measures", "drift", "blocks")
    )
    assert recalibrate(workspace, AS_OF).lineage.keeps == "orders/1"


def test_rows_that_are_still_to_be_read_stay_and_it_is_said_why(orders: Workspace) -> None:
    lived(orders)
    orders.ledger.forget("monitor", "2013-03")
    short = {"raw": "1d", "features": "1d", "predictions": "1d"}
    workspace = again(
        orders,
        retention=short,
        features={
            "late_40d": {
                "from": "trailing",
                "by": ["city"],
                "value": "late",
                "statistic": "rate",
                "over": "40d",
            }
        },
        **WINDOW,
    )
    told = lines(keep(workspace), "retention")
    assert batches_in(workspace, "raw/orders") == ["2013-04", "2013-05"], "41 days before June"
    assert "2013-03" in batches_in(workspace, "predictions") and "2013-01" in batches_in(
        workspace, "features"
    )
    assert any("predictions: kept" in line and "batch 2013-03 is still to be done" in line for line in told)


@pytest.mark.parametrize("wide", [None, "lookup"])
def test_what_is_read_without_limit_is_never_deleted(orders: Workspace, wide: str | None) -> None:
    lag = {"from": "lag", "by": ["city"], "value": "load"}
    workspace = again(
        orders, retention={"raw": "1d", "features": "1d"}, features={"last": lag} if wide else {}
    )
    told = lines(keep(workspace), "retention")
    assert len(batches_in(workspace, "features")) == 5, "training reads every batch"
    assert any("training reaches back without limit" in line for line in told)
    assert (
        batches_in(workspace, "raw/orders") == ["2013-01", "2013-02", "2013-03", "2013-04", "2013-05"]
    ) == bool(wide)


def test_a_batch_that_others_are_compared_with_stays(orders: Workspace) -> None:
    suite = orders.settings.suites / "orders" / "orders.yaml"
    suite.write_text(suite.read_text() + "# reference.rain\n")
    workspace = again(orders, retention={"raw": "1d"})
    told = lines(keep(workspace), "retention")
    assert batches_in(workspace, "raw/orders") == ["2013-01"]
    assert "raw/orders: kept batch 2013-01: its suite compares other batches with it" in told


def test_a_retention_that_is_too_short_is_a_problem_of_the_spec(orders: Workspace) -> None:
    again(
        orders,
        retention={"raw": "30d", "features": "30d", "predictions": "1h"},
        features={
            "load_90d": {
                "from": "trailing",
                "by": ["city"],
                "value": "load",
                "statistic": "mean",
                "over": "90d",
            }
        },
    )
    problems = "\n".join(check("orders", orders.settings).problems)
    assert "retention.raw: 30 days, 0:00:00 is too short: features look back 91 days" in problems
    assert "retention.features: training reaches back without limit: say `training.window`" in problems
    assert "retention.predictions: 1:00:00 is too short: outcomes take 1 day" in problems
    again(orders, **KEPT, **WINDOW)
    assert check("orders", orders.settings).problems == ()


# -- versions of tables and of models


def test_no_table_of_the_lake_is_left_out(orders: Workspace) -> None:
    lake = lived(orders).lake
    root = Path(lake.path(""))
    there = (str(log.parent.relative_to(root)) for log in root.glob("**/_delta_log"))
    tables = sorted(table for table in there if batches_in(orders, table))
    for table in tables:
        batch = batches_in(orders, table)[-1]
        lake.write(table, batch, lake.scan(table, [batch]).collect().drop("batch"))
    swept = [line.subject for line in keep(orders).lines if line.step == "vacuum"]
    assert sorted(swept) == tables


def test_every_version_is_made_again_after_retention_and_vacuum(orders: Workspace) -> None:
    """The table versions that models were trained on stay, others do not."""
    first = trained(orders, "2013-02")
    for batch in ("2013-01", "2013-02"):  # the features of then are replaced
        orders.ledger.forget("features", batch)
        featurise(orders, orders.batch(batch), AS_OF)
    unread = orders.lake.version("features")
    for batch in ("2013-01", "2013-02"):
        orders.ledger.forget("features", batch)
        featurise(orders, orders.batch(batch), AS_OF)
    workspace = again(orders, retention={"raw": "1d", "features": "1d"}, training={"window": "30d"})
    found = keep(workspace)
    assert batches_in(workspace, "features") == ["2013-05"]
    assert any(
        "removed old files; 1 versions stay, which 1 models" in line for line in lines(found, "vacuum")
    )
    again_made = reproduce(workspace, first)
    assert again_made.same, again_made.measures
    with pytest.raises((OSError, pl.exceptions.PolarsError)):
        workspace.lake.scan("features", ["2013-01"], unread).collect()


def test_versions_long_out_of_use_are_archived_and_still_made_again(orders: Workspace) -> None:
    workspace = again(orders, retention={"versions": 1})
    versions = [trained(workspace, batch) for batch in ("2013-02", "2013-03", "2013-04", "2013-05")]
    first, second, third, newest = versions
    for version, over in ((first, None), (second, first)):
        at = version.lineage.as_of
        workspace.registry.promote(version, over=over, why="test", evidence={}, at=at, by="test")
    for version in (third, newest):
        workspace.registry.retire(version, why="test", evidence={}, at=AS_OF, by="test")
    found = keep(workspace, later=timedelta(days=2))
    assert lines(found, "versions") == [f"{third}: archived in orders-3.zip"]
    assert any("of archived versions" in line for line in lines(found, "model files"))
    stored = set(workspace.registry.stored())
    others = {digest for each in (first, second, newest) for digest in each.files.values()}
    assert others <= stored and not set(third.files.values()) - others & stored
    restore(workspace, third)
    assert set(third.files.values()) <= set(workspace.registry.stored())
    assert reproduce(workspace, third).same
    assert train(workspace, "linear", third.lineage.as_of).files == third.files
    assert lines(keep(workspace), "versions") == []
    assert workspace.registry.champion("orders") == second.__class__(**{**_of(second), "stage": "champion"})


def _of(version: Version) -> dict[str, Any]:
    return {name: getattr(version, name) for name in version.__dataclass_fields__}


def test_the_files_of_a_broken_archive_stay(orders: Workspace) -> None:
    workspace = again(orders, retention={"versions": 1})
    first, _ = trained(workspace, "2013-02"), trained(workspace, "2013-03")
    workspace.registry.retire(first, why="test", evidence={}, at=AS_OF, by="test")
    keep(workspace)
    archive_path(workspace, first).write_bytes(b"broken")
    found = keep(workspace, later=timedelta(days=2))
    assert len(found.faults) == 1 and "is not what was archived of orders/1" in found.faults[0]
    assert set(first.files.values()) <= set(workspace.registry.stored())


def test_a_challenger_that_nobody_judged_is_retired_once_it_is_old(orders: Workspace) -> None:
    version = trained(orders, "2013-02")
    assert lines(keep(orders), "versions") == [], "it stands in the past, but was made just now"
    told = lines(keep(orders, later=timedelta(days=8)), "versions")
    assert told == [f"{version}: retired: it was left without a judgement for more than 7 days"]
    assert orders.registry.version(version).stage == "retired"


def test_the_version_of_a_lost_log_stops_the_vacuum_of_its_table_alone(orders: Workspace) -> None:
    trained(orders, "2013-02")
    log = Path(orders.lake.path("features")) / "_delta_log"
    orders.lake.write("features", "2013-01", orders.lake.scan("features", ["2013-01"]).collect())
    DeltaTable(orders.lake.path("features")).create_checkpoint()
    for path in sorted(log.glob("0000*.json"))[:-1]:
        path.unlink()
    found = keep(orders)
    assert len(found.faults) == 1
    assert (
        found.faults[0].startswith("vacuum of features: ")
        and "_delta_log back from a copy" in found.faults[0]
    )


# -- files


def test_files_that_nothing_names_go_once_they_are_old(orders: Workspace) -> None:
    version, home = trained(orders, "2013-02"), orders.settings.home
    store = orders.settings.files
    for name in ("fit-old", "fit-new", "new-old"):
        (home / name).mkdir()
        (home / name / "file").write_text("x" * 100)
    for digest in ("00" * 32, "11" * 32):
        (store / digest[:2]).mkdir(exist_ok=True)
        (store / digest[:2] / digest).write_text("loose")
    (orders.settings.staging / "old.parquet").write_text("unpacked")
    for path in (home / "fit-old", home / "new-old", store / "00" / ("00" * 32)):
        old(path, 2)
    old(orders.settings.staging, 2)
    for path in store.rglob("*"):
        if path.name in version.files.values():
            old(path, 400)
    staged = {path.name for path in orders.settings.staging.iterdir()} - {"old.parquet"}
    found = keep(orders)
    assert {path.name for path in home.glob("*-*")} == {"fit-new"}
    assert {path.name for path in orders.settings.staging.iterdir()} == staged
    assert set(orders.registry.stored()) == {*version.files.values(), "11" * 32}
    sizes = {line.step: (line.files, line.bytes) for line in found.lines if line.files}
    assert sizes == {"temporary files": (2, 200), "model files": (1, 5), "deliveries": (1, 8)}


def test_what_was_unpacked_of_deleted_rows_goes_and_is_not_read_again(
    depot: Any, make_trips: Callable[..., Any]
) -> None:
    for day in (1, 2, 3):
        depot.deliver(f"{day}.csv", make_trips(day * 100, 24, day=day))
    depot.take_in()
    depot.spec(lambda document: document.update(retention={"raw": "1d", "quarantine": "1d"}))
    workspace = depot.open()
    for batch in workspace.batches(datetime(2013, 3, 10, tzinfo=UTC)):
        featurise(workspace, batch, datetime(2013, 3, 10, tzinfo=UTC))
    staged = {path.name for path in depot.settings.staging.iterdir()}
    found = keep(workspace, at=datetime(2013, 3, 5, 12, tzinfo=UTC))
    assert "raw/trips: deleted 2 batches, 2013-03-01 to 2013-03-02" in lines(found, "retention")
    left = {path.name for path in depot.settings.staging.iterdir()}
    assert 2 <= len(staged - left) < len(staged)
    before = workspace.ledger.results("ingest/trips")
    assert {**depot.take_in()} and workspace.ledger.results("ingest/trips") == before
    assert {path.name for path in depot.settings.staging.iterdir()} == left
    assert batches_in(workspace, "raw/trips") == ["2013-03-03"]


def test_a_step_that_fails_is_told_and_stops_no_other(orders: Workspace) -> None:
    workspace = again(orders, retention={"raw": "1d", "quarantine": "1d"})
    log = Path(workspace.lake.path("raw/orders")) / "_delta_log"
    for path in log.iterdir():
        path.write_text("{broken")
    (orders.settings.home / "fit-old").mkdir()
    old(orders.settings.home / "fit-old", 2)
    found = keep(workspace)
    assert [fault.partition(":")[0] for fault in found.faults] == [
        f"{what} of raw/orders" for what in ("retention", "compaction", "vacuum")
    ]
    assert not (orders.settings.home / "fit-old").exists()
