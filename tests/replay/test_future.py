"""Nothing sees the future: what is lived through until a batch is the same whatever comes after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from replay.compared import compared
from replay.lived import Lived, lived
from replay.oracle import fits, there_were
from replay.outcomes import outcome_of
from replay.policies import NEVER, PRESENT, REFERENCE
from replay.result import result
from stages.workspace import Workspace
from tests.replay.worlds import World, assert_alike, make_world, story, tables, twin
from tests.stages.orders import AS_OF, orders

pytestmark = pytest.mark.slow

MAY, JUNE = datetime(2013, 5, 1, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC)
TRIGGERED = ("on drift, stateless, expanding", "on estimates, stateless, expanding", PRESENT)
POLICIES = (*TRIGGERED, REFERENCE, NEVER)
# Watched closely, so that each trigger is pulled: by the inputs, by the estimates and by the outcomes.
WATCH: dict[str, Any] = {
    "drift_persistence": {"batches": 1, "of": 1},
    "drifted_importance": 0.05,
    "auc_drop": 0.001,
    "loss_rise": 0.001,
}
STEPS = ("scored", "judged")
TRAINING = {"families": ["linear"], "first_batches": 2}
NARROW = "the last fifty days"
OWN = {NARROW: {"monitoring": {"opened_by": [], "every": 6}, "training": {"window": "50d"}}}


def moving() -> pl.DataFrame:
    """Orders of which April's base rate has moved, and the inputs of March and later have, too."""
    return orders(400, risen=1.0).with_columns(
        pl.when(pl.col("at") >= "2013-03")
        .then((pl.col("rain") * 0.4).round(3))
        .otherwise(pl.col("rain"))
        .alias("rain")
    )


def otherwise() -> pl.DataFrame:
    """The same, but that in May everything is the other way round."""
    late = pl.when(pl.col("late") == "true").then(pl.lit("false")).otherwise(pl.lit("true"))
    may = pl.col("at") >= "2013-05"
    return moving().with_columns(
        pl.when(may).then(late).otherwise(pl.col("late")).alias("late"),
        pl.when(may).then(pl.col("rain") + 9).otherwise(pl.col("rain")).alias("rain"),
    )


@dataclass(frozen=True)
class Worlds:
    """A project that was lived through, one whose May is another, and one that has none yet."""

    whole: World
    other: World
    none: World
    histories: dict[str, Workspace]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    def make(name: str, rows: pl.DataFrame, as_of: datetime = AS_OF) -> World:
        root = tmp_path_factory.mktemp(name)
        return make_world(root, rows=rows, own=OWN, as_of=as_of, training=TRAINING, monitoring=WATCH)

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        whole, other = make("whole", moving()), make("other", otherwise())
        none = make("none", moving().filter(pl.col("at") < "2013-05"), MAY.replace(day=2))
        yield Worlds(whole, other, none, whole.live(*POLICIES))


def until(workspace: Workspace, instant: datetime) -> dict[str, Any]:
    """What a history had come to before an instant: stages apart, which later ones change."""
    found = story(workspace)
    batches = {batch.id for batch in workspace.batches(instant)}
    made = [each for each in found["versions"] if each[4].as_of < instant]
    kept = {step: {of: found[step][of] for of in batches & found[step].keys()} for step in STEPS}
    return {
        "versions": [(name, family, files, metrics) for name, family, _, files, _, metrics in made],
        "transitions": [each for each in found["transitions"] if each[4] < instant],
        **kept,
    }


def assert_same_until(one: Workspace, other: Workspace, instant: datetime, batches: datetime) -> None:
    theirs = tables(other, batches)
    for table, frame in tables(one, batches).items():
        assert_frame_equal(frame, theirs[table], check_exact=True)
    ours, others = until(one, instant), until(other, instant)
    for part in ours:
        assert ours[part] == others[part], part


def test_every_trigger_was_pulled(worlds: Worlds) -> None:
    """Or else the tests below would hold of histories in which nothing happens."""
    acts = {"recalibrate", "retrain stateless", "roll back"}
    for policy in POLICIES[:-1]:
        judged = worlds.histories[policy].ledger.results("monitor")
        assert acts & {judged[each]["decision"] for each in ("2013-03", "2013-04")}, policy


def test_another_future_changes_nothing_before_it(worlds: Worlds) -> None:
    found = worlds.other.live(*TRIGGERED)
    for policy in TRIGGERED:
        workspace = worlds.histories[policy]
        assert_same_until(workspace, found[policy], JUNE.replace(month=5, day=31), MAY)
    may = [each.lake.scan("predictions", ["2013-05"]).collect() for each in (workspace, found[policy])]
    assert not may[0]["prediction"].equals(may[1]["prediction"]), "the future was no other"


def test_a_future_that_is_there_changes_nothing_before_it(worlds: Worlds) -> None:
    """Versions carry the versions of the tables, which differ: their files and lineages are left out."""
    found = worlds.none.live(*TRIGGERED)
    for policy in TRIGGERED:
        workspace = worlds.histories[policy]
        theirs = tables(found[policy], MAY)
        for table, frame in tables(workspace, MAY).items():
            assert_frame_equal(frame, theirs[table], check_exact=True)
        ours, others = until(workspace, MAY), until(found[policy], MAY)
        for step in STEPS:
            assert _without_hash(ours[step]) == _without_hash(others[step]), (policy, step)
        assert [each[:2] for each in ours["transitions"]] == [each[:2] for each in others["transitions"]]


def test_beside_others_a_history_is_as_it_would_be_alone(
    worlds: Worlds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What it shares with them is what it would have made: of its own champion, whatever theirs is."""
    beside, other = worlds.whole.live(NARROW)[NARROW], worlds.histories[NEVER]
    assert_alike(beside, twin(worlds.whole, tmp_path_factory.mktemp("alone")).live(NARROW)[NARROW])
    first, theirs = (each.registry.version("orders/1") for each in (beside, other))
    assert first.lineage.as_of == theirs.lineage.as_of and first.files != theirs.files


def test_no_fit_was_made_from_rows_that_came_later(worlds: Worlds) -> None:
    for workspace in worlds.histories.values():
        rows = workspace.lake.scan("outcomes").select("basket", "id", "known_at").collect()
        for version in workspace.registry.versions("orders"):
            seen = pl.read_parquet(workspace.registry.file(version, "fitted.parquet"))
            known = seen.join(rows, on=["basket", "id"], how="left")
            assert known["known_at"].max() <= version.lineage.as_of


def test_an_oracle_knows_the_labels_of_its_batch_and_no_fit_that_came_later(worlds: Worlds) -> None:
    of = [(workspace, lived(workspace, name, AS_OF)) for name, workspace in worlds.histories.items()]
    known = fits(of)
    assert len(known) > 3
    for batch in worlds.whole.workspace.batches(AS_OF)[2:]:
        there = [version for _, version in there_were(known, batch)]
        assert there
        assert all(version.lineage.as_of < batch.end for version in there)
        served = [step.version.files for _, each in of for step in each.steps if step.batch == batch]
        assert all(files in [version.files for version in there] for files in served)
    alone = fits(of[:1])
    assert len(alone) < len(known)


def test_no_policy_does_better_than_the_oracle_in_any_batch(worlds: Worlds) -> None:
    facts = result(compared(worlds.histories, worlds.whole.plan), worlds.whole.plan)
    told = {each["name"]: each for each in facts["policies"]}
    assert set(told) == {*POLICIES, "oracle"}
    for name, policy in told.items():
        assert (
            [point["batch"] for point in policy["batches"]]
            == facts["batches"]
            == [
                "2013-03",
                "2013-04",
                "2013-05",
            ]
        )
        for point in policy["batches"]:
            assert point["regret"]["value"] >= -1e-12, (name, point["batch"])
        assert policy["loss"] >= told["oracle"]["loss"] - 1e-12
    assert any(point["regret"]["value"] > 1e-3 for point in told[NEVER]["batches"])
    assert all(abs(point["regret"]["value"]) < 1e-12 for point in told["oracle"]["batches"])


def test_what_a_policy_lost_is_what_its_predictions_lost(worlds: Worlds) -> None:
    """By hand, from the tables: the log loss of what was answered, and of what came of it."""
    for policy in (PRESENT, NEVER):
        workspace = worlds.histories[policy]
        found: Lived = lived(workspace, policy, AS_OF)
        said = workspace.lake.scan("predictions").select("basket", "id", "batch", "prediction")
        came = workspace.lake.scan("outcomes").select("basket", "id", "label")
        rows = said.join(came, on=["basket", "id"]).collect()
        answer = pl.when(pl.col("label") > 0).then(pl.col("prediction")).otherwise(1 - pl.col("prediction"))
        losses = dict(rows.group_by("batch").agg((-answer.log()).sum()).iter_rows())
        for step in found.steps:
            assert sum(step.outcome.loss) == pytest.approx(losses[step.batch.id], rel=1e-6)
            assert sum(step.outcome.units) == rows.filter(pl.col("batch") == step.batch.id).height
            assert outcome_of(workspace, step.batch, step.version, AS_OF) == step.outcome


def _without_hash(facts: Any) -> Any:
    return {of: {name: each[name] for name in each if name != "fingerprint"} for of, each in facts.items()}
