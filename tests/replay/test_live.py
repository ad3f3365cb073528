"""A history is lived through as production would have been, and ends in the same however often."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.onnx.latency import UNTIMED
from replay.policies import PRESENT
from tests.replay.worlds import TREES, World, assert_alike, in_production, make_world

pytestmark = pytest.mark.slow

# What each kind of project lives through in April: its base rate has moved, or a retraining is due.
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"training": {"families": ["constant", "linear"]}},
    "regression": {
        "training": {**TREES, "families": ["linear", "lightgbm"]},
        "monitoring": {"every": 1, "drift": 0.1},
    },
}


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        # Production times its files, a replay does not: of two equals the gate would prefer the faster.
        patched.setattr("models.onnx.export.latencies", lambda models, frame: [UNTIMED] * len(models))
        found = make_world(tmp_path_factory.mktemp("world"), request.param, **KINDS[request.param])
        yield found


def test_as_it_is_a_policy_ends_as_production_did(world: World) -> None:
    found = world.live(PRESENT)[PRESENT]
    in_production(world.workspace)
    assert_alike(found, world.workspace)
    champions = {each["version"] for each in found.ledger.results("score").values()}
    assert len(champions) > 1, "nothing happened that could have been otherwise"
