"""Labels that come long after: nothing learns from them or judges by them before they are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
import pytest

from core.errors import PerennialError
from replay.compared import compared
from replay.lived import lived
from replay.policies import NEVER, PRESENT, REFERENCE
from replay.result import result
from stages.champion.promote import decisions
from stages.champion.retraining import requests_of
from stages.models.train import train
from stages.workspace import Workspace
from tests.replay.worlds import World, assert_alike, in_production, make_world, planned
from tests.stages.orders import AS_OF, orders

pytestmark = pytest.mark.slow

LATE, RIPE = 35, 40
END = datetime(2013, 7, 11, 1, tzinfo=AS_OF.tzinfo)


def delayed() -> pl.DataFrame:
    """Orders of which every other label is known after five weeks, and those of the end after a year."""
    at = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    days = pl.when(pl.col("at") >= "2013-05-20").then(400).when(pl.col("basket") % 2 == 0).then(LATE)
    seen = at + pl.duration(days=days.otherwise(0), minutes=45)
    return orders(600, risen=1.0).with_columns(seen=seen.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


@dataclass(frozen=True)
class Slow:
    """Replays of such orders: judged a day after a batch's end, when half is known, or when all is."""

    early: World
    ripe: World
    histories: dict[str, Workspace]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    def make(name: str, days: int, as_of: datetime) -> World:
        return make_world(
            tmp_path_factory.mktemp(name),
            rows=delayed(),
            as_of=as_of,
            outcome={"maturity": f"{days}d"},
            training={"families": ["linear"], "first_batches": 2},
            monitoring={"every": 1},
        )

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        early = make("early", 1, AS_OF)
        yield Slow(early, make("ripe", RIPE, END), early.live(REFERENCE, PRESENT, NEVER))


def outcomes(workspace: Workspace) -> pl.DataFrame:
    return workspace.lake.scan("outcomes").select("basket", "id", "batch", "known_at", "event_time").collect()


def test_nothing_learns_from_labels_before_they_are_known(slow: Slow) -> None:
    for workspace in slow.histories.values():
        rows = outcomes(workspace)
        for version in workspace.registry.versions("orders"):
            seen = pl.read_parquet(workspace.registry.file(version, "fitted.parquet"))
            known = seen.join(rows, on=["basket", "id"], how="left")["known_at"]
            assert known.null_count() == 0
            assert known.max() <= version.lineage.as_of
            over = [batch.id for batch in workspace.batches(version.lineage.as_of)]
            of_them = rows.filter(pl.col("batch").is_in(over))
            there = of_them.filter(pl.col("known_at") <= version.lineage.as_of).height
            made = version.metrics["rows"]
            assert 100 < made["train"] + made["validation"] + made["holdout"] <= there < of_them.height


def test_nothing_is_judged_by_labels_before_they_are_known(slow: Slow) -> None:
    for workspace in slow.histories.values():
        rows = outcomes(workspace)
        judged = workspace.ledger.results("monitor")
        assert len(judged) == 3
        for batch, facts in judged.items():
            known = pl.col("known_at") <= datetime.fromisoformat(facts["as_of"])
            of_batch = rows.filter(pl.col("batch") == batch)
            assert facts["labelled"] == of_batch.filter(known).height < of_batch.height


def test_no_gate_looks_at_labels_before_they_are_known(slow: Slow) -> None:
    workspace = slow.histories[REFERENCE]
    rows = outcomes(workspace)
    found = decisions(workspace)
    assert len(found) == 3
    for at, report in found.items():
        pair = [workspace.registry.version(each) for each in (report.challenger, report.champion) if each]
        since = max(version.lineage.trained_until for version in pair)
        over = pl.col("batch").is_in([batch.id for batch in workspace.batches(at)])
        known = rows.filter(over, pl.col("known_at") <= at, pl.col("event_time") >= since)
        assert report.rows == known.height


def test_the_same_rows_of_which_more_is_known_are_another_fit(slow: Slow) -> None:
    workspace = slow.histories[NEVER]
    at = datetime(2013, 3, 2, tzinfo=AS_OF.tzinfo)
    first, later = (train(workspace, "linear", each) for each in (at, at + timedelta(days=18)))
    assert first.lineage.batches == later.lineage.batches
    assert first.files != later.files
    rows = [each.metrics["rows"]["holdout"] for each in (first, later)]
    assert rows[0] < rows[1]


def test_what_came_in_the_end_tells_what_was_lost(slow: Slow) -> None:
    """A replay looks back: labels that nobody knew then count, and those that are not known yet do not."""
    rows = outcomes(slow.histories[NEVER])
    for step in lived(slow.histories[NEVER], NEVER, AS_OF).steps:
        known = rows.filter(pl.col("batch") == step.batch.id, pl.col("known_at") <= AS_OF)
        assert sum(step.outcome.units) == known.height
    facts = result(compared(slow.histories, slow.early.plan), slow.early.plan)
    assert facts["rows"] == rows.filter(pl.col("batch") >= "2013-03", pl.col("known_at") <= AS_OF).height


def test_where_outcomes_take_longer_than_a_batch_it_is_as_in_production(slow: Slow) -> None:
    """What April's outcomes ask for comes after the end of May, and May is still to be judged."""
    found = slow.ripe.live(PRESENT)[PRESENT]
    judged = found.ledger.results("monitor")
    assert list(judged) == ["2013-04", "2013-05"]
    states = [(each.batch, each.state) for each in requests_of(found).all()]
    assert states == [("2013-02", "done"), ("2013-04", "done")]
    in_production(slow.ripe.workspace, END)
    assert_alike(found, slow.ripe.workspace)


def test_without_one_label_there_is_nothing_to_compare(slow: Slow) -> None:
    at = datetime(2013, 3, 1, tzinfo=AS_OF.tzinfo) + timedelta(days=2)
    world = planned(slow.ripe.workspace, at)
    with pytest.raises(PerennialError, match="no first champion was found"):
        compared(world.live(NEVER), world.plan)
