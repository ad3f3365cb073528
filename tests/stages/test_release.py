"""A release goes on, holds, or goes back by what the log of predictions says of it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from core.errors import IntegrityError, PerennialError
from core.settings import Settings
from models.gate.judge import GateReport
from models.registry.versions import Version
from monitoring.release.trial import Trial
from serving.log.tables import OUTCOMES, PREDICTIONS, Outcome, Prediction, by_day, schemas
from stages.champion.promote import decisions, promote
from stages.monitoring.alerts import released
from stages.release.change import end, in_force
from stages.release.give import begin, give
from stages.release.give import test as hold_against
from stages.release.look import BACK, Look, look
from stages.release.served import served_under
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import fits, make_orders

pytestmark = pytest.mark.slow

FAMILIES = {"families": ["constant", "linear", "lightgbm"], "parameters": {"lightgbm": {"rounds": 20}}}
RULES = {"requests": 200, "hold": "10m", "steps": [0.2, 0.5, 1]}
NOW = datetime(2013, 4, 2, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """A project with a champion (linear), a challenger that was let through (the trees), and one refused."""

    workspace: Workspace
    champion: Version
    challenger: Version
    refused: Version

    def log(self, count: int, first: int = 0, **how: float) -> None:
        """Have so many users ask, each once, under the release in force; their outcomes are told.

        The candidate's answers are wrong by `off`, its failures and its slow answers have these shares; a
        share `worth` more of its users have the outcome.
        """
        release, random = in_force(self.workspace), np.random.default_rng(first + count)
        rows, outcomes = [], []
        for user in range(first, first + count):
            entity = f'["user {user}"]'
            part = release.part_for(entity)
            ours = part.role != "champion"
            chance = float(random.uniform(0.1, 0.9))
            label = bool(random.random() < chance + (how.get("worth", 0) if ours else 0))
            said = min(max(chance + (how.get("off", 0) if ours else 0), 0.01), 0.99)
            fails = ours and random.random() < how.get("failing", 0)
            slow = 10 if ours and random.random() < how.get("slow", 0) else 1
            at = NOW + timedelta(milliseconds=user)
            facts = {
                "key": None,
                "input": "{}",
                "features": "{}",
                "degraded": False,
                "at": at,
                "decision_time": at,
            }
            who = {"request_id": f"r{user}", "version": part.version, "role": part.role, "entity": entity}
            row = Prediction(
                **who,  # type: ignore[arg-type]
                **facts,  # type: ignore[arg-type]
                at=at,
                decision_time=at,
                release=release.number,
                prediction=None if fails else said,
                seconds=slow * float(random.lognormal(-6, 0.3)),
                error="OSError" if fails else None,
            )
            rows.append(row)
            if fails:
                rows.append(
                    row._replace(version=release.champion, role="champion", prediction=said, error=None)
                )
            outcomes.append(Outcome(f"r{user}", None, label, at, at))
        self.append(PREDICTIONS, rows, first + count)
        self.append(OUTCOMES, outcomes, first + count)

    def append(self, table: str, rows: list[Prediction] | list[Outcome], number: int) -> None:
        schema = schemas(pl.Boolean(), wide=False)[table]
        frame = by_day(pl.DataFrame(rows, schema=schema, orient="row"))
        self.workspace.lake.append(table, "tests", {number: frame})

    def look(self, minutes: int = 0) -> Look:
        found = look(self.workspace, NOW + timedelta(minutes=minutes))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    workspace = make_orders(root, training=FAMILIES, release=RULES, monitoring={"min_rows": 50})
    trained = workspace.batch("2013-03").end + timedelta(days=1)
    constant, linear, trees = fits(workspace, trained)
    registry, told = workspace.registry, {"at": trained, "by": "tests", "why": "", "evidence": {}}
    registry.promote(linear, over=None, **told)
    gate = GateReport(trees, linear, 100, 10, True, ())
    registry.accept(trees, **told | {"evidence": {"gate": gate}})
    refused = GateReport(
        constant,
        linear,
        100,
        10,
        False,
        (),
    )
    registry.retire(constant, **told | {"evidence": {"gate": refused}, "at": trained + timedelta(hours=1)})
    return root


@pytest.fixture
def open_shop(made: Path, tmp_path: Path) -> Callable[..., Shop]:
    """Opens a copy of the project, its release rules changed."""

    def opened(**rules: object) -> Shop:
        root = tmp_path / "copy"
        shutil.copytree(made, root)
        path = root / "projects" / "orders" / "project.yaml"
        document = yaml.safe_load(path.read_text())
        document["release"] |= rules
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
        settings = Settings(home=root / "state", projects=root / "projects", suites=root / "expectations")
        workspace = open_workspace("orders", settings)
        constant, linear, trees = workspace.registry.versions("orders")
        return Shop(workspace, linear, trees, constant)

    return opened


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop()


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
