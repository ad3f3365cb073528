"""Whatever is wrong in a spec, all of it is said at once, and nothing that is only wrong because of it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.documents import Keys
from core.projects import examine
from core.salvage import validated
from core.settings import Settings
from tests.core.conftest import DOCUMENT

Document = dict[str, Any]

# More than the trips have, so that every kind of key is spoilt in turn.
MORE = """
objective: {business: know, learning: predict, metric: log_loss, costs: {missed: 2, false_alarm: 1}}
outcome: {label: late, known_at: seen, maturity: 1d}
training:
  families: [linear]
  monotone: {hour: increasing}
  parameters: {linear: {strength: 1.0}}
  tuning: {families: [linear], space: {linear: {strength: {low: 0.1, high: 1.0}}}}
gate: {slices: [city, id], fairness: {attributes: [city]}}
monitoring: {persistence: 2}
"""
FEATURES = """
rate: {from: target_rate, by: [city], over: 7d, weight: 10}
last: {from: lag, by: [city], value: paid}
squared: {from: expression, expression: paid * hour}
made: {from: function, function: f, kind: number, inputs: {spent: {from: row, column: paid, kind: number}}}
"""
JUNK: list[Any] = [None, -1.5, "x y", [3], {"a": 1}]
# Where {"a": 1} would not only be wrong, but take away what others name.
OPEN = {("datasets",), ("datasets", "trips", "columns"), ("datasets", "cities", "columns"), ("features",)}


def full() -> Document:
    """A document with each kind of feature and section."""
    document: Document = yaml.safe_load(DOCUMENT) | yaml.safe_load(MORE)
    document["batches"] |= {"start": "2013-03-09", "end": "2013-03-12"}
    document["features"] |= yaml.safe_load(FEATURES)
    document["datasets"]["trips"]["reference"] = "2013-03-10"
    return document


def places(value: Any, keys: Keys = ()) -> Iterator[Keys]:
    """The keys of each part of a document."""
    if keys:
        yield keys
    parts: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, part in parts:
        yield from places(part, (*keys, key))


def spoilt(keys: Keys, change: Callable[[Any, Any], None]) -> Document:
    """The document, changed at one place: `change` gets what holds it, and its key there."""
    document = copy.deepcopy(full())
    held: Any = document
    for key in keys[:-1]:
        held = held[key]
    change(held, keys[-1])
    return document


@pytest.fixture
def found(write_trips: Callable[..., Path], settings: Settings) -> Callable[[Document], list[str]]:
    """The keys, dotted, of which something is said of a document."""

    def find(document: Document) -> list[str]:
        write_trips(functions="def f(): ...\n", text=json.dumps(document))
        return [line.split(": ")[1] for line in examine("trips", settings).found]

    return find


def is_wrong(document: Document) -> bool:
    """Whether its shape is wrong, whatever it refers to."""
    try:
        validated(document)
    except ValidationError:
        return True
    return False


def only_there(found: list[str], keys: Keys) -> bool:
    """Whether all that is said is said of one place: of it, of what is in it, or of what it is in."""
    dotted = ".".join(map(str, keys))
    return all(f"{dotted}.".startswith(f"{each}.") or each.startswith(f"{dotted}.") for each in found)


def test_the_whole_document_is_right(found: Callable[[Document], list[str]]) -> None:
    assert found(full()) == []


@pytest.mark.parametrize("keys", list(places(full())), ids=lambda keys: ".".join(map(str, keys)))
def test_what_is_wrong_at_one_place_is_said_of_that_place_alone(
    found: Callable[[Document], list[str]], keys: Keys
) -> None:
    for junk in JUNK[:-1] if keys in OPEN else JUNK:
        document = spoilt(keys, lambda held, key, junk=junk: held.__setitem__(key, junk))
        if is_wrong(document):
            said = found(document)
            assert said and only_there(said, keys), (keys, junk, said)
    if isinstance(keys[-1], str):
        document = spoilt(keys, lambda held, key: held.__delitem__(key))
        if is_wrong(document):
            said = found(document)
            assert said and only_there(said, keys), (keys, "left out", said)
        document = spoilt(keys, lambda held, key: held.__setitem__(f"{key}x", held.pop(key)))
        if is_wrong(document):
            said = found(document)
            assert said and only_there(said, (*keys[:-1], f"{keys[-1]}x")), (keys, "misspelt", said)
