"""A spec that a machine has edited says what it should, and all else as before."""

from pathlib import Path

import pytest
import yaml

from core.editing import edited
from core.settings import CHECKOUT

SPECS = sorted((CHECKOUT / "projects").glob("*/project.yaml"))
SPEC = """\
name: shop
# When a model is retrained.
monitoring:
  every: 3  # each quarter
  min_rows: 400

gate: {gain: 0.02, block: 1d}

# How models are fitted.
training:
  window: 730d
  # Networks know some messages by heart.
  parameters:
    torch: {rate: 0.005}

title: 'Shop: "all"'
"""


def test_a_value_takes_the_place_of_another_and_comments_stay() -> None:
    found = edited(SPEC, {"monitoring": {"every": 1}, "training": {"window": "90d"}})
    assert found == SPEC.replace("every: 3", "every: 1").replace("730d", "90d")


def test_a_key_that_is_taken_out_takes_no_other_line_with_it() -> None:
    gone = {"training": {"window": None}, "monitoring": {"every": None}, "gate": {"block": None}}
    found = edited(SPEC, gone)
    expected = SPEC.replace("  window: 730d\n", "").replace("  every: 3  # each quarter\n", "")
    assert found == expected.replace("{gain: 0.02, block: 1d}", "{gain: 0.02}")


def test_a_new_key_joins_its_section_and_a_new_section_comes_last() -> None:
    found = edited(SPEC, {"monitoring": {"opened_by": []}, "replay": {"costs": {"training_hour": 2}}})
    read = yaml.safe_load(found)
    assert read["monitoring"] == {"every": 3, "min_rows": 400, "opened_by": []}
    assert list(read)[-1] == "replay"
    assert read["replay"] == {"costs": {"training_hour": 2}}
    assert found.startswith(SPEC.partition("  min_rows")[0])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"monitoring": {"every": 3}},
        {"monitoring": {"opened_by": None}, "retention": {"raw": None}},
        {"training": {"window": "730d"}},
    ],
)
def test_what_it_says_already_leaves_it_as_it_is(changes: dict[str, dict[str, object]]) -> None:
    assert edited(SPEC, changes) == SPEC


def test_the_last_key_of_a_section_goes_with_it() -> None:
    assert edited("a: {b: 1}\ntitle: x\n", {"a": {"b": None}}) == "title: x\n"
    assert edited("title: x\n\na:\n  b: 1\n", {"a": {"b": None}}) == "title: x\n"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.parent.name)
def test_a_policy_comes_into_each_of_our_specs_and_leaves_all_else(path: Path) -> None:
    before = path.read_text()
    policy = {"monitoring": {"opened_by": [], "every": 2}, "training": {"stateful": {}, "window": "90d"}}
    after = edited(before, policy)
    read, was = yaml.safe_load(after), yaml.safe_load(before)
    for section, values in policy.items():
        assert read[section] == {**was.get(section, {}), **values}
        read.pop(section)
        was.pop(section, None)
    assert read == was
    known = {line for line in before.splitlines() if line.lstrip().startswith("#")}
    assert known <= set(after.splitlines())
