"""What is wrong with candidates is told with its file, line and key, and what would be right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import SpecError
from core.projects import load
from core.settings import Settings
from tests.stages.visits import Cinema

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[Edit], str]:
    """Says why an edited spec is refused."""
    cinema = Cinema(tmp_path)

    def told(edit: Edit) -> str:
        cinema.spec(edit)
        settings: Settings = cinema.settings
        with pytest.raises(SpecError) as error:
            load("visits", settings)
        return str(error.value)

    return told


FAULTS: dict[str, tuple[Edit, str]] = {
    "an item that is no column of the key": (
        lambda spec: spec["candidates"].update(item="films"),
        "candidates.item: no column 'films' of the key; did you mean 'film'?",
    ),
    "an item that tells lists apart": (
        lambda spec: spec["candidates"].update(item="at"),
        "candidates.item: is a column of outcome.group: each list would hold one item",
    ),
    "a key that is more than list and item": (
        lambda spec: spec["datasets"]["visits"].update(key=["user", "at", "film", "device"]),
        "datasets.visits.key.3: 'device' is neither of outcome.group nor candidates.item",
    ),
    "an entity that is none of the list's": (
        lambda spec: spec["candidates"].update(by=["usr"]),
        "candidates.by.0: no column 'usr' of outcome.group; did you mean 'user'?",
    ),
    "about a column that there is not": (
        lambda spec: spec["candidates"].update(about=["kind", "made", "grade"]),
        "candidates.about.2: 'grade' is of the key or the outcome",
    ),
    "a list that is not decided at once": (
        lambda spec: spec["decision"].update(before="seen"),
        "decision.before: 'seen' should be of outcome.group: all rows of a list are decided on at once",
    ),
    "another problem": (
        lambda spec: (spec.update(problem="regression"), spec["outcome"].pop("group")),
        "candidates: are of a ranking problem, and this is a regression one",
    ),
    "a feature of what only the chosen have": (
        lambda spec: spec["features"]["kind"].update(column="device"),
        "features.kind: reads 'device', which no candidate has: it would tell what was chosen",
    ),
    "an expression of it": (
        lambda spec: spec["features"]["share"].update(expression="stars + user_90d"),
        "features.share: reads 'stars', which no candidate has",
    ),
    "an input of it": (
        lambda spec: spec["features"]["age"].update(
            inputs={"x": {"from": "trailing", "by": ["device"], "statistic": "count", "over": "1d"}}
        ),
        "features.age.inputs.x: reads 'device', which no candidate has",
    ),
    "a past that would count candidates": (
        lambda spec: spec["features"]["film_30d"].update(known_at="at"),
        "features.film_30d.known_at: 'at' is known of candidates, too",
    ),
    "what a retriever says without one": (
        lambda spec: spec.pop("candidates"),
        "features.affinity.from: is of a project that declares `candidates`, and this one does not",
    ),
    "a word that there is not": (
        lambda spec: spec["candidates"].update(abuot=["kind"]),
        "candidates.abuot: no such key; did you mean 'about'?",
    ),
    "a value that there is not": (
        lambda spec: spec["features"]["affinity"].update(value="afinity"),
        "features.affinity.value: is \"afinity\"; did you mean 'affinity'?",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place(fault: str, refusal: Callable[[Edit], str]) -> None:
    edit, expected = FAULTS[fault]
    told = refusal(edit)
    assert expected in told, told
    assert "project.yaml:" in told


def test_the_spec_as_it_is_holds(tmp_path: Path) -> None:
    assert load("visits", Cinema(tmp_path).settings).spec.candidates is not None
