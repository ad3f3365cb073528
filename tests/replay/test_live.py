"""A history is lived through as production would have been, and ends in the same however often."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.plain import plain
from models.onnx.latency import UNTIMED
from replay.compared import compared
from replay.live import SPENT, live
from replay.policies import NEVER, PRESENT
from replay.result import result
from stages.due import due
from stages.workspace import Workspace
from tests.replay.worlds import TREES, World, assert_alike, in_production, make_world, story, twin, untimed
from tests.stages.orders import AS_OF

pytestmark = pytest.mark.slow

# What each kind of project lives through in April: its base rate has moved, or a retraining is due.
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"training": {"families": ["constant", "linear"]}},
    "regression": {
        "training": TREES,
        "monitoring": {"every": 2},
    },
}
ACTIONS = {"binary": ["recalibrate"], "regression": ["retrain stateful"]}
# What is made of seconds: whoever compares two replays has to leave it out.
_SPENT = {"training_seconds", "wall_seconds"}


@dataclass(frozen=True)
class Pair:
    """A project in two homes, with nothing lived through in the second, and its histories in the first."""

    kind: str
    one: World
    other: World
    histories: dict[str, Workspace]


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        # Production times its files, a replay does not: of two equals the gate would prefer the faster.
        patched.setattr("models.onnx.export.latencies", lambda models, frame: [UNTIMED] * len(models))
        one = make_world(tmp_path_factory.mktemp("one"), request.param, **KINDS[request.param])
        other = twin(one, tmp_path_factory.mktemp("other"))
        yield Pair(request.param, one, other, one.live(PRESENT, NEVER))


def test_as_it_is_a_policy_ends_as_production_does(pair: Pair) -> None:
    found = pair.histories[PRESENT]
    in_production(pair.one.workspace)
    assert_alike(found, pair.one.workspace)
    done = [each["action"] for each in found.ledger.results(SPENT).values()]
    assert done == ["retrain stateless", *ACTIONS[pair.kind]], "too little happened to tell"
    assert len({each["version"] for each in found.ledger.results("score").values()}) > 1


def test_in_another_home_it_ends_in_the_same_to_the_last_bit(pair: Pair) -> None:
    theirs = pair.other.live(NEVER, PRESENT)  # in another order, so that what is shared is made by another
    for policy, workspace in pair.histories.items():
        assert_alike(workspace, theirs[policy])
    facts = [
        result(compared({policy: each[policy] for policy in pair.histories}, world.plan), world.plan)
        for each, world in ((pair.histories, pair.one), (theirs, pair.other))
    ]
    assert _unspent(facts[0]) == _unspent(facts[1])
    assert {each["name"] for each in facts[0]["policies"]} == {*pair.histories, "oracle"}


def test_lived_through_again_nothing_is_done(pair: Pair) -> None:
    for workspace in pair.histories.values():
        before, spent = story(workspace), workspace.ledger.results(SPENT)
        versions = {table: workspace.lake.version(table) for table in ("predictions", "metrics")}
        live(workspace, AS_OF)
        assert story(workspace) == before
        assert workspace.ledger.results(SPENT) == spent
        assert {table: workspace.lake.version(table) for table in versions} == versions
        assert list(due(workspace, AS_OF)) == []


def test_a_policy_that_never_retrains_does_not(pair: Pair) -> None:
    workspace = pair.histories[NEVER]
    assert len(workspace.ledger.results(SPENT)) == 1
    assert {each["version"] for each in workspace.ledger.results("score").values()} == {
        each.id for each in workspace.registry.versions("orders") if each.stage == "champion"
    }


def _unspent(facts: Any) -> Any:
    if isinstance(facts, dict):
        return {name: _unspent(value) for name, value in facts.items() if name not in _SPENT}
    return [_unspent(each) for each in facts] if isinstance(facts, list) else untimed(plain(facts))
