"""Whatever is wrong in a spec, all of it is said at once, and nothing that is only wrong because of it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.documents import Keys, Loader
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
monitoring:
  persistence: 2
  drift_persistence: {batches: 2, of: 4}
  retraining: {cooldown: 3d, runs_a_week: 2, hours_a_week: 6, attempts: 2, back_off: 5m}
schedules: {ingest: "*/15 * * * *", housekeeping: null}
alerts: [{block: slack-webhook/night, severity: critical}, {block: apprise/day}]
retention: {raw: 400d, flow_runs: 14d, versions: 5}
"""
FEATURES = """
rate: {from: target_rate, by: [city], over: 7d, weight: 10}
last: {from: lag, by: [city], value: paid}
squared: {from: expression, expression: paid * hour}
made: {from: function, function: f, kind: number, inputs: {spent: {from: row, column: paid, kind: number}}}
"""
RANKED = """
problem: ranking
objective: {business: know, learning: predict}
batches: {every: 1d, start: 2013-03-09, end: 2013-03-12, rows: 100}
datasets:
  trips:
    source: {kind: files, path: trips.csv}
    columns: {city: string, item: string, made: string, grade: integer, seen: datetime}
    key: [city, at, item]
    event_time: at
    known_at: seen
decision: {before: at, lead: 0h}
outcome: {label: grade, known_at: seen, maturity: 1d, group: [city, at]}
candidates: {item: item, by: [city], about: [made], count: 5}
features:
  city: {from: row, column: city, kind: category}
  made: {from: row, column: made, kind: category}
  popular: {from: trailing, by: [item], statistic: count, over: 7d}
  near: {from: retrieval, value: rank}
"""
JUNK: list[Any] = [None, -1.5, "x y", [3], {"a": 1}]
# Where {"a": 1} would not only be wrong, but take away what others name.
OPEN = {("datasets",), ("datasets", "trips", "columns"), ("datasets", "cities", "columns"), ("features",)}


def full() -> Document:
    """A document with each kind of feature and section."""
    document: Document = yaml.load(DOCUMENT, Loader) | yaml.load(MORE, Loader)
    document["features"] |= yaml.load(FEATURES, Loader)
    document["datasets"]["trips"]["reference"] = "2013-03-10"
    return document


def ranked() -> Document:
    """A document of a ranking of candidates, whose events are counted."""
    document: Document = {**full(), **yaml.load(RANKED, Loader)}
    del document["gate"], document["training"]
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


def spoilt(whole: Document, keys: Keys, change: Callable[[Any, Any], None]) -> Document:
    """The document, changed at one place: `change` gets what holds it, and its key there."""
    document = copy.deepcopy(whole)
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


WHOLE = {"binary": full(), "ranking": ranked()}
PARTS = [(name, keys) for name, whole in WHOLE.items() for keys in places(whole)]


@pytest.mark.parametrize("seed", range(8))
def test_many_faults_at_once_are_told_without_a_trace(
    found: Callable[[Document], list[str]], seed: int
) -> None:
    chance, document = Random(seed), copy.deepcopy(WHOLE["binary"])
    for keys in chance.sample(list(places(document)), 12):
        held: Any = document
        for key in keys[:-1]:
            held = held[key] if isinstance(held, dict) and key in held else {}
        if isinstance(held, dict):
            held[keys[-1]] = chance.choice(JUNK)
    assert found(document)


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_document_is_right(found: Callable[[Document], list[str]], name: str) -> None:
    assert found(WHOLE[name]) == []


@pytest.mark.parametrize(("name", "keys"), PARTS)
def test_what_is_wrong_at_one_place_is_said_of_that_place_alone(
    found: Callable[[Document], list[str]], name: str, keys: Keys
) -> None:
    changes: list[Callable[[Any, Any], None]] = [
        lambda held, key, junk=junk: held.__setitem__(key, junk)
        for junk in (JUNK[:-1] if keys in OPEN else JUNK)
    ]
    if isinstance(keys[-1], str):
        changes += [lambda held, key: held.__delitem__(key)]
        changes += [lambda held, key: held.__setitem__(f"{key}x", held.pop(key))]
    for change in changes:
        document = spoilt(WHOLE[name], keys, change)
        if is_wrong(document):
            said = found(document)
            misspelt = (*keys[:-1], f"{keys[-1]}x")
            assert said and (only_there(said, keys) or only_there(said, misspelt)), said
