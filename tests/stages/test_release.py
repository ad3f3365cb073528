"""A release goes on, holds, or goes back by what the log of predictions says of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from core.errors import IntegrityError, PerennialError
from monitoring.release.trial import Trial
from serving.log.tables import OUTCOMES, PREDICTIONS, Outcome, Prediction, by_day, schemas
from stages.champion.promote import decisions, promote
from stages.monitoring.alerts import released
from stages.release.change import end, in_force
from stages.release.give import begin, give
from stages.release.give import test as hold_against
from stages.release.look import BACK, look
from stages.release.served import served_under
from tests.stages.orders import fits, make_orders
from tests.stages.shops import FAMILIES, NOW, RULES, Shop, copy_shop, make_shop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    make_shop(root)
    return root


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Shop:
    return copy_shop(made, tmp_path / "copy")


def test_a_version_takes_over_step_by_step(shop: Shop) -> None:
    begin(shop.workspace, shop.challenger, NOW, "tests")
    assert shop.look().reasons == ("it had 0 of the 200 requests of a step",)
    shop.log(2_000)
    early = shop.look(minutes=5)
    assert (early.outcome, early.now) == ("held", 0.2) and "5 more minutes" in early.reasons[0]
    assert {watch.name: watch.state for watch in early.watches}["realised loss"] == "calm"
    first = shop.look(minutes=10)
    assert (first.outcome, first.share, first.now) == ("advanced", 0.2, 0.5)
    assert shop.look(minutes=30).requests == 0  # of a new step
    shop.log(1_000, first=2_000)
    second = shop.look(minutes=30)
    assert (second.outcome, second.now) == ("promoted", 1.0)
    champion = shop.workspace.registry.champion("orders")
    assert champion is not None and champion.id == shop.challenger.id
    assert str(in_force(shop.workspace)) == f"100% {shop.challenger}"
    assert look(shop.workspace, NOW) is None
    actions = [each.action for each in shop.workspace.registry.releases("orders")]
    assert actions == ["promote", "canary", "advance", "promote"]


@pytest.mark.parametrize(
    ("how", "watch"),
    [
        ({"failing": 0.2}, "errors"),
        ({"slow": 0.5}, "latency"),
        ({"off": 0.35}, "prediction shift"),
        ({"off": 0.35}, "realised loss"),
    ],
)
def test_what_is_surely_worse_goes_back_at_the_next_look(
    shop: Shop, how: dict[str, float], watch: str
) -> None:
    begin(shop.workspace, shop.challenger, NOW, "tests")
    shop.log(3_000, **how)
    found = shop.look(minutes=1)
    assert found.outcome == "rolled back"
    assert watch in {each.name for each in found.watches if each.state == "alarm"}
    assert str(in_force(shop.workspace)) == f"100% {shop.champion}"
    assert shop.workspace.registry.version(shop.challenger).stage == "retired"
    kept = shop.workspace.registry.releases("orders")[-1]
    assert (kept.action, kept.by) == ("rolled back", "release")
    assert {each["name"] for each in kept.evidence["watches"]} >= {watch}
    (told,) = released(shop.workspace, found, NOW)
    assert told.kind == "release rolled back" and told.gravity == "critical"  # type: ignore[union-attr]
    assert look(shop.workspace, NOW) is None


def test_who_is_the_same_is_not_taken_back_however_often_it_is_looked_at(shop: Shop) -> None:
    give(shop.workspace, shop.challenger, "canary", 0.5, NOW, "tests")
    for first in range(0, 2_000, 250):
        shop.log(250, first=first)
        assert shop.look(minutes=1).outcome == "held"


def test_answers_that_the_champion_gave_for_a_failing_canary_are_on_nobodys_side(shop: Shop) -> None:
    give(shop.workspace, shop.challenger, "canary", 0.5, NOW, "tests")
    shop.log(400, failing=1.0)
    rows = served_under(shop.workspace, [in_force(shop.workspace).number], NOW + timedelta(days=1))
    assert rows is not None and rows.height == 400
    assert rows["request_id"].n_unique() == 400


def test_only_whom_the_gate_let_through_answers_anybody(shop: Shop) -> None:
    with pytest.raises(PerennialError, match="was refused by the gate"):
        give(shop.workspace, shop.refused, "canary", 0.1, NOW, "tests")
    with pytest.raises(PerennialError, match="was refused by the gate"):
        begin(shop.workspace, shop.refused, NOW, "tests")
    with pytest.raises(PerennialError, match="is champion: name the version"):
        give(shop.workspace, shop.champion, "canary", 0.1, NOW, "tests")
    shadowed = give(shop.workspace, shop.refused, "shadow", 1.0, NOW, "tests")
    assert str(shadowed) == f"100% {shop.champion}, 100% {shop.refused} (shadow)"


def test_a_version_that_has_not_met_the_gate_answers_nobody(shop: Shop) -> None:
    lineage = replace(shop.challenger.lineage, seed=99)
    files, metrics = shop.challenger.files, shop.challenger.metrics
    unmet = shop.workspace.registry.enter("orders", "lightgbm", files, metrics, lineage)
    with pytest.raises(PerennialError, match="has not met the gate: `make retrain`"):
        give(shop.workspace, unmet, "canary", 0.1, NOW, "tests")


def test_a_share_is_given_changed_and_ended_by_hand(shop: Shop) -> None:
    give(shop.workspace, shop.refused, "shadow", 0.5, NOW, "tests")
    give(shop.workspace, shop.challenger, "canary", 0.1, NOW, "tests")
    wider = give(shop.workspace, shop.challenger, "canary", 0.3, NOW, "tests")
    assert str(wider) == (f"70% {shop.champion}, 50% {shop.refused} (shadow), 30% {shop.challenger} (canary)")
    shop.log(500)
    assert shop.look(minutes=60).reasons == ("its share was given by hand",)
    assert str(end(shop.workspace, shop.refused.id, NOW, "tests")) == (
        f"70% {shop.champion}, 30% {shop.challenger} (canary)"
    )
    all_of_it = give(shop.workspace, shop.challenger, "canary", 1.0, NOW, "tests")
    assert str(all_of_it) == f"100% {shop.challenger}"
    with pytest.raises(PerennialError, match="has no part beside the champion"):
        end(shop.workspace, shop.refused.id, NOW, "tests")


def test_a_release_by_steps_goes_on_beside_a_new_shadow_and_stops_where_a_hand_holds_it(shop: Shop) -> None:
    begin(shop.workspace, shop.challenger, NOW, "tests")
    give(shop.workspace, shop.refused, "shadow", 1.0, NOW, "tests")
    assert in_force(shop.workspace).advances
    end(shop.workspace, shop.refused.id, NOW, "tests")
    assert in_force(shop.workspace).advances
    give(shop.workspace, shop.challenger, "canary", 0.2, NOW, "tests")
    assert not in_force(shop.workspace).advances


def test_a_file_that_was_changed_is_not_released(shop: Shop) -> None:
    name = f"{shop.challenger.metrics['serves']}.onnx"
    path = shop.workspace.registry.file(shop.challenger, name)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="was changed"):
        give(shop.workspace, shop.challenger, "canary", 0.1, NOW, "tests")
    assert in_force(shop.workspace).candidate is None


def test_a_test_ends_with_the_better_version_by_the_stated_metric(shop: Shop) -> None:
    trial = Trial(shop.champion.id, shop.challenger.id, "label", minimum=300, maximum=5_000)
    hold_against(shop.workspace, shop.challenger, 0.5, trial, NOW, "tests")
    shop.log(400)
    early = shop.look(minutes=1)
    assert early.outcome == "held" and "300 of each are needed" in early.reasons[0]
    give(shop.workspace, shop.refused, "shadow", 1.0, NOW, "tests")  # what was collected still counts
    shop.log(3_000, first=400, worth=0.3)
    found = shop.look(minutes=1)
    assert found.test is not None and sum(found.test.entities) == 3_400
    assert found.outcome == "promoted" and "surely better" in found.reasons[0]
    assert str(in_force(shop.workspace)) == f"100% {shop.challenger}"


def test_a_test_without_a_difference_ends_with_the_champion(shop: Shop) -> None:
    trial = Trial(shop.champion.id, shop.challenger.id, "loss", minimum=200, maximum=400)
    hold_against(shop.workspace, shop.challenger, 0.5, trial, NOW, "tests")
    shop.log(1_000)
    found = shop.look(minutes=1)
    assert (found.outcome, found.now) == ("ended", 0.0)
    assert "still reaches 0" in found.reasons[0]
    assert shop.workspace.registry.version(shop.challenger).stage == "challenger"  # it may be tried again


def test_what_a_killed_look_left_is_done_by_the_next(shop: Shop) -> None:
    give(shop.workspace, shop.challenger, "canary", 0.5, NOW, "tests")
    end(shop.workspace, shop.challenger.id, NOW, "release", action=BACK, why="it was slow")
    assert shop.workspace.registry.version(shop.challenger).stage == "challenger"
    assert look(shop.workspace, NOW) is None
    assert shop.workspace.registry.version(shop.challenger).stage == "retired"
    last = shop.workspace.registry.transitions("orders")[-1]
    assert last.why == f"{shop.challenger}: it was slow"


def test_labels_are_those_that_were_known_and_the_last_word_counts(shop: Shop) -> None:
    give(shop.workspace, shop.challenger, "canary", 0.5, NOW, "tests")
    release = in_force(shop.workspace)
    facts = {
        "input": "{}",
        "features": "{}",
        "prediction": 0.5,
        "seconds": 0.1,
        "degraded": False,
        "error": None,
    }
    at = datetime(2013, 4, 1, tzinfo=UTC)
    orders = shop.workspace.lake.scan("outcomes", ["2013-04"]).sort("known_at").collect()
    ingested = orders.row(0, named=True)
    keys = {
        "told": None,
        "key": '[7,"x"]',
        "ingested": f"[{ingested['basket']},{ingested['id']}]",
        "later": None,
    }
    rows = [
        Prediction(name, shop.champion.id, "champion", release.number, at, at, name, key, **facts)  # type: ignore[arg-type]
        for name, key in keys.items()
    ]
    hour = timedelta(hours=1)
    outcomes = [
        Outcome("told", None, True, at, at),
        Outcome("told", None, False, at, at + hour),
        Outcome(None, '[7,"x"]', True, at, at),
        Outcome("later", None, True, at + 300 * 24 * hour, at + 300 * 24 * hour),
    ]
    shop.append(PREDICTIONS, rows, 1)
    shop.append(OUTCOMES, outcomes, 1)
    found = served_under(shop.workspace, [release.number], datetime(2013, 6, 1, tzinfo=UTC))
    assert found is not None
    assert dict(found.select("request_id", "label").iter_rows()) == {
        "told": False,
        "key": True,
        "ingested": ingested["label"],
        "later": None,
    }


def test_by_steps_the_gate_lets_through_and_does_not_crown(made: Path, tmp_path: Path) -> None:
    training = FAMILIES | {"families": ["constant", "linear"]}
    workspace = make_orders(
        tmp_path, training=training, release=RULES | {"after_gate": "by steps"}, gate={"gain": 0.001}
    )
    trained = workspace.batch("2013-03").end + timedelta(days=1)
    constant, linear = fits(workspace, trained)
    at = trained - timedelta(hours=1)
    schema = schemas(pl.Boolean(), wide=False)[PREDICTIONS]
    workspace.lake.append(PREDICTIONS, "tests", {1: by_day(pl.DataFrame(schema=schema))})  # it is served
    workspace.registry.promote(constant, over=None, why="", evidence={}, at=at, by="tests")
    report = promote(workspace, [linear], trained)
    assert report.accepted, report.reasons
    assert workspace.registry.champion("orders") == workspace.registry.version(constant)
    now = in_force(workspace)
    assert str(now) == f"80% {constant}, 20% {linear} (canary)" and now.advances
    assert decisions(workspace)[trained].challenger == linear
    assert workspace.registry.transitions("orders")[-1].action == "accept"
    assert promote(workspace, [linear], trained) == report  # from the record
    assert in_force(workspace) == now
