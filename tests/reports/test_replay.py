"""The page of a replay: what it recommends, in what order it lists, and what its plots label."""

import json
import math
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.replay.labels import room
from reports.replay.page import Replay, page
from tests.reports.replays import interval, replay
from tests.reports.test_lifecycle import tables


def opened(facts: Replay, folder: Path) -> ElementTree.Element:
    return ElementTree.fromstring(page(facts, folder).read_text(encoding="utf-8"))


def listed(root: ElementTree.Element) -> list[str]:
    return [line[0] for line in tables(root)["Policies"]]


def test_the_summary_is_kept_beside_the_page_as_strict_json(tmp_path: Path) -> None:
    facts = replay()
    facts["policies"][2]["loss"] = math.nan
    target = page(facts, tmp_path)
    kept = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert kept["report"] == str(target)
    assert kept["policies"][2]["loss"] is None
    assert kept["recommended"] == facts["recommended"]
    assert page(kept, tmp_path).read_text() == target.read_text()


def test_the_head_says_what_to_do_by_how_much_and_how_surely(tmp_path: Path) -> None:
    facts = replay()
    now = next(each for each in facts["policies"] if each["name"] == facts["present"])
    root = opened(facts, tmp_path)
    lede = " ".join("".join(root.findall("body/header/p")[1].itertext()).split())
    assert lede.startswith("Retrain by when performance falls, stateless, expanding:")
    assert lede.endswith(f"The spec says: {now['told']}.")
    told = [[each.text for each in fact] for fact in root.iterfind("body/header/dl/div")]
    assert told[:2] == [
        ["Worth more", "280", "against every 3, stateless, expanding, 50 to 510"],
        ["Sure", "97%", "of draws of days; first of all in 41%"],
    ]


def test_the_most_worth_comes_first_and_bounds_last(tmp_path: Path) -> None:
    names = listed(opened(replay(), tmp_path))
    assert names[0] == "1 every 1, stateless, expanding"
    assert names[-2:] == ["15 oracle bound", "16 never bound"]
    assert "2 when performance falls, stateless, expanding recommended" in names


def test_of_equals_what_trained_least_comes_first_and_then_the_present_one(tmp_path: Path) -> None:
    facts = replay(present="every 3, stateful, expanding")
    for each in facts["policies"]:
        if not each["bound"]:
            each["net_value"], each["against_never"] = interval(5.0), interval(0.002)
            each["training_seconds"] = 20.0 if each["name"].startswith("every 3") else 30.0
    names = listed(opened(facts, tmp_path))
    assert names[0].startswith("1 every 3, stateful, expanding")
    assert all(name.split(" ", 1)[1].startswith("every 3") for name in names[:3])


def test_without_costs_the_largest_gain_comes_first(tmp_path: Path) -> None:
    facts = replay()
    for policy in facts["policies"]:
        policy["net_value"] = None
    facts["policies"][3]["against_never"] = {"value": None, "low": None, "high": None}
    names = listed(opened(facts, tmp_path))
    assert names[0] == "1 every 1, stateless, expanding"
    assert names[13].startswith("14 every 1, stateful")


def test_what_the_spec_has_may_be_what_is_recommended(tmp_path: Path) -> None:
    facts = replay(present="when performance falls, stateless, expanding")
    root = opened(facts, tmp_path)
    assert "That is what the spec has." in "".join(root.itertext())
    assert "2 when performance falls, stateless, expanding recommended present" in listed(root)


def test_alarms_of_the_policies_that_matter_are_told_by_batch(tmp_path: Path) -> None:
    facts = replay()
    first, second = tables(opened(facts, tmp_path))["Alarms"]
    assert first[0].endswith("recommended") and second[0].endswith("present")
    (chosen,) = [each for each in facts["policies"] if each["name"] == facts["recommended"]["policy"]]
    told = [
        [each["batch"] for each in chosen["batches"] if each["alarm"] == kind] for kind in ("true", "false")
    ]
    assert first[1:3] == [", ".join(batches) for batches in told]


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 250)), min_size=1, max_size=40))
def test_labels_cover_neither_each_other_nor_a_point(points: list[tuple[float, float]]) -> None:
    taken = [(x - 4.5, y - 4.5, x + 4.5, y + 4.5) for x, y in points]
    spots = len(taken)
    for x, y in points:
        room(x, y, 2, taken)
    labels = taken[spots:]
    crowded = sum(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for one, other in combinations(labels, 2)
    )
    # Where forty points lie on one spot there is no room left within reach: such a label stays by its point.
    assert crowded <= max(0, len(points) - 12)


def test_a_question_of_what_if_stands_under_the_title(tmp_path: Path) -> None:
    question = "CHANGE='{gate: {gain: 0.02}}' SUITES='<b>'"
    header = opened(replay(question=question), tmp_path).find("body/header")
    assert header is not None
    assert f"What if: {question}" in " ".join("".join(header.itertext()).split())
    assert "What if" not in page(replay(), tmp_path).read_text()
