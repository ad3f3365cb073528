"""A history is lived through as production would have been, and ends in the same however often."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay.live import SPENT, live
from replay.policies import PRESENT
from stages.due import due
from stages.retraining import requests_of
from tests.replay.worlds import TREES, World, assert_alike, in_production, make_world
from tests.stages.orders import AS_OF

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
        found = make_world(tmp_path_factory.mktemp("world"), request.param, **KINDS[request.param])
        yield found


def test_as_it_is_a_policy_ends_as_production_did(world: World) -> None:
    found = world.live(PRESENT)[PRESENT]
    in_production(world.workspace)
    assert_alike(found, world.workspace)
    champions = {each["version"] for each in found.ledger.results("score").values()}
    assert len(champions) == 2, "nothing happened that could have been otherwise"
