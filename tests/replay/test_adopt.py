"""A policy of the last replay is written into the spec, or nothing is."""

import json
from pathlib import Path

import pytest

from core.errors import PerennialError, SpecError
from core.projects import load
from core.settings import Settings
from replay.adopt import adopt
from replay.plan import Plan, folder_of
from reports.pages import write
from tests.stages.orders import AS_OF, lay_orders

EVERY = "every 2 batches, stateless, sliding"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project that was replayed, with what that recommends."""
    found = lay_orders(tmp_path, monitoring={"min_rows": 100}, training={"families": ["linear"]})
    policies = {
        EVERY: {"monitoring": {"opened_by": [], "every": 2}, "training": {"stateful": None, "window": "59d"}},
        "broken": {"monitoring": {"every": 0}},
        "as it is": {},
        "what if": {"monitoring": {"opened_by": [], "every": None}},
    }
    plan = Plan("orders", AS_OF, {}, policies, {"what if": "orders/1"}, "", "made")
    plan.write(folder_of(found, "orders"))
    told = {"recommended": {"policy": EVERY, "sure": 0.9}}
    write(found.reports / "orders" / "replay" / "summary.json", json.dumps(told))
    return found


def test_the_recommended_policy_is_the_specs_from_then_on(settings: Settings) -> None:
    found = adopt(settings, "orders")
    spec = load("orders", settings).spec
    assert found.policy == EVERY
    assert (spec.monitoring.opened_by, spec.monitoring.every, spec.monitoring.min_rows) == ((), 2, 100)
    assert spec.training.window is not None and spec.training.window.days == 59
    assert found.path.read_text() == found.after != found.before
    assert adopt(settings, "orders").after == found.after


def test_one_that_changes_nothing_leaves_the_file(settings: Settings) -> None:
    found = adopt(settings, "orders", "as it is")
    assert found.before == found.after


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("every 2 batches, stateless, slidin", "did you mean 'every 2 batches, stateless, sliding'"),
        ("what if", "is no policy: orders/1 serves there"),
        ("broken", "every"),
    ],
)
def test_what_cannot_be_adopted_leaves_the_spec_as_it_was(settings: Settings, name: str, why: str) -> None:
    path = settings.projects / "orders" / "project.yaml"
    before = path.read_text()
    with pytest.raises(SpecError, match=why):
        adopt(settings, "orders", name)
    assert path.read_text() == before


def test_without_a_replay_there_is_nothing_to_adopt(tmp_path: Path) -> None:
    with pytest.raises(PerennialError, match="call make replay"):
        adopt(lay_orders(tmp_path), "orders")
