"""A spec with some of its keys changed: merged key by key, null for the default, and wrong keys named."""

from collections.abc import Callable
from typing import Any

import pytest

from core.changes import changed
from core.errors import SpecError
from core.projects import Project, load, names
from core.settings import CHECKOUT, Settings

Make = Callable[..., Project]
SAID: dict[str, Any] = {
    "training": {
        "families": ["linear", "lightgbm"],
        "window": "90d",
        "parameters": {"lightgbm": {"rounds": 50, "num_leaves": 7}, "linear": {"l2": 0.5}},
    },
    "monitoring": {"drift": 0.5, "retraining": {"cooldown": "3d", "runs_a_week": 2}},
}


def say(document: dict[str, Any]) -> None:
    document.update(SAID)


@pytest.mark.parametrize("name", names(Settings(home=CHECKOUT / ".perennial")))
def test_with_nothing_changed_a_spec_is_itself(name: str) -> None:
    """Of each project of the checkout: a policy that changes nothing hashes as the spec does."""
    spec = load(name, Settings(home=CHECKOUT / ".perennial")).spec
    same = changed(spec, {}, "as it is")
    assert same == spec
    assert same.model_dump(mode="json") == spec.model_dump(mode="json")


def test_mappings_are_gone_through_key_by_key(make_trips: Make) -> None:
    spec = make_trips(say).spec
    found = changed(
        spec,
        {
            "training": {"parameters": {"lightgbm": {"rounds": 9}}},
            "monitoring": {"retraining": {"runs_a_week": 5}, "every": 2},
        },
        "x",
    )
    assert found.training.parameters == {"lightgbm": {"rounds": 9, "num_leaves": 7}, "linear": {"l2": 0.5}}
    rules = found.monitoring
    assert (rules.drift, rules.every, rules.retraining.runs_a_week) == (0.5, 2, 5)
    assert rules.retraining.cooldown == spec.monitoring.retraining.cooldown
    assert found.training.window == spec.training.window
    assert found.model_copy(update={"training": spec.training, "monitoring": spec.monitoring}) == spec


def test_all_else_takes_the_place_of_what_there_was(make_trips: Make) -> None:
    found = changed(make_trips(say).spec, {"training": {"families": ["constant"]}}, "x")
    assert found.training.families == ("constant",)


def test_null_stands_for_the_default(make_trips: Make) -> None:
    changes = {"training": {"window": None, "parameters": None}, "monitoring": {"drift": None}}
    found = changed(make_trips(say).spec, changes, "x")
    assert (found.training.window, found.training.parameters, found.monitoring.drift) == (None, {}, 0.2)
    assert found.training.families == ("linear", "lightgbm")


def test_a_key_that_the_spec_does_not_say_may_be_given_in_parts(make_trips: Make) -> None:
    found = changed(make_trips().spec, {"training": {"stateful": {"full_every": 7}}}, "x")
    assert found.training.stateful is not None
    assert (found.training.stateful.full_every, found.training.stateful.replay) == (7, 1.0)


def test_the_spec_stays_as_it_was(make_trips: Make) -> None:
    spec = make_trips(say).spec
    before = spec.model_dump(mode="json")
    changed(spec, {"training": {"parameters": {"lightgbm": {"rounds": 9}}, "window": None}}, "x")
    assert spec.model_dump(mode="json") == before


def test_every_key_that_is_wrong_is_named(make_trips: Make) -> None:
    wrong = {"training": {"windoww": "3d"}, "monitoring": {"retraining": {"cooldown": "soon"}, "every": 0}}
    with pytest.raises(SpecError) as caught:
        changed(make_trips().spec, wrong, "policy 'mine'")
    said = [line.split(": ") for line in str(caught.value).splitlines()]
    assert {whose for whose, *_ in said} == {"policy 'mine'"}
    assert {key for _, key, *_ in said} == {
        "training.windoww",
        "monitoring.retraining.cooldown",
        "monitoring.every",
    }


@pytest.mark.parametrize("name", ["mine", "on rain: mostly"])
def test_a_spec_whose_policy_has_a_wrong_key_is_refused_with_its_line(
    make_trips: Make, settings: Settings, name: str
) -> None:
    policies = {name: {"monitoring": {"every": 2, "openedby": []}}, "fine": {"gate": {"gain": 0.02}}}
    with pytest.raises(SpecError) as caught:
        make_trips(lambda document: document.update(replay={"policies": policies}))
    (said,) = str(caught.value).splitlines()
    file = settings.projects / "trips" / "project.yaml"
    line = 1 + [text.strip() for text in file.read_text().splitlines()].index("openedby: []")
    assert said.startswith(f"{file}:{line}: replay.policies.{name}.monitoring.openedby: ")


def test_what_a_policy_names_must_be_there(make_trips: Make) -> None:
    """And what is wrong in the spec itself is not said again for each of its policies."""
    policies = {"mine": {"gate": {"slices": ["nobody"]}}, "fine": {"gate": {"gain": 0.02}}}

    def change(document: dict[str, Any]) -> None:
        document["replay"] = {"policies": policies}
        document["training"] = {"monotone": {"nothing": "increasing"}}

    with pytest.raises(SpecError) as caught:
        make_trips(change)
    said = [line.partition(": ")[2] for line in str(caught.value).splitlines()]
    assert sum("nobody" in line for line in said) == 1
    assert any(line.startswith("replay.policies.mine.gate.slices.0: ") for line in said)
    assert sum("nothing" in line for line in said) == 1


@pytest.mark.parametrize(
    ("replay", "place"),
    [
        ({"policies": {"x": {"monitorin": {}}}}, "replay.policies.x.monitorin"),
        ({"policies": {"x": {"problem": "regression"}}}, "replay.policies.x.problem"),
        ({"costs": {"training_hour": -1}}, "replay.costs.training_hour"),
        ({"policies": {"never": {}}}, "replay.policies.never"),
        ({"policies": {"a; b": {}}}, "replay.policies.a; b"),
    ],
)
def test_what_no_replay_can_be_told_is_refused(make_trips: Make, replay: dict[str, Any], place: str) -> None:
    with pytest.raises(SpecError, match=place):
        make_trips(lambda document: document.update(replay=replay))
