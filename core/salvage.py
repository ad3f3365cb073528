"""A spec that does not validate, with stand-ins for what is wrong, so that the rest can be checked, too."""

import json
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.documents import Keys
from core.spec import Spec
from core.spec_errors import place
from core.words import closest

ROOT: Keys = ()
_ANY = "*"
_COLUMN: Keys = ("datasets", _ANY, "columns", _ANY)
_FEATURE = {"from": "row", "column": "", "kind": "number"}
_SOURCE = {"kind": "delta", "path": ""}

# What stands for a part that must be there. A dataset has any column where it has a `prepare`.
_STAND_INS: Mapping[Keys, Any] = {
    ("name",): "unknown",
    ("title",): "",
    ("objective",): {"business": "", "learning": ""},
    ("objective", "business"): "",
    ("objective", "learning"): "",
    ("problem",): "binary",
    ("batches",): {"every": "1d", "start": "2000-01-01", "end": "2000-01-02"},
    ("events",): "",
    ("datasets",): {},
    ("datasets", _ANY): {"source": _SOURCE, "columns": {}, "key": [""], "prepare": ""},
    ("datasets", _ANY, "source"): _SOURCE,
    ("datasets", _ANY, "columns"): {},
    _COLUMN: "string",
    ("datasets", _ANY, "key"): [""],
    ("datasets", _ANY, "prepare"): "",
    ("decision",): {"before": "", "lead": "1h"},
    ("decision", "before"): "",
    ("decision", "lead"): "1h",
    ("outcome",): {"label": "", "known_at": "", "maturity": "1d"},
    ("outcome", "label"): "",
    ("outcome", "known_at"): "",
    ("outcome", "maturity"): "1d",
    ("features",): {},
    ("features", _ANY): _FEATURE,
    ("features", _ANY, "inputs", _ANY): _FEATURE,
}
# What means something only beside another part, and so is in doubt with it.
_NAMES_KEYS: Collection[Keys] = [("gate", "slices"), ("gate", "fairness", "attributes"), ("outcome", "group")]
_BESIDE: Mapping[Keys, Collection[Keys]] = {
    ("batches",): [("datasets", _ANY, "reference")],
    ("candidates",): [("features",), ("outcome", "group"), ("datasets", _ANY, "key")],
    ("datasets", _ANY, "key"): [*_NAMES_KEYS, ("candidates",)],
    ("outcome", "group"): [("candidates",), ("decision",), ("datasets", _ANY), ("features",)],
    ("training", "tuning", "families"): [("training", "tuning", "space")],
}


def salvaged(value: Any) -> tuple[Spec, set[Keys]]:
    """The spec that a document's value says, and the places that are in doubt: what stands there is made up.

    A misspelt key is taken for what was meant. Where nothing is wrong, nothing is in doubt.
    """
    mended = json.loads(json.dumps(value))
    doubtful: set[Keys] = set()
    tried: set[Keys] = set()
    if not isinstance(mended, dict):
        mended, doubtful = {}, {ROOT}
    while True:
        try:
            return _of_unknown_kinds(validated(mended), doubtful), doubtful
        except ValidationError as error:
            faults = {place(fault["loc"])[0]: fault for fault in error.errors()}
        extra = [keys for keys, fault in faults.items() if fault["type"] == "extra_forbidden"]
        tried |= {_mend(mended, keys, faults[keys], tried) for keys in faults if keys not in extra}
        doubtful |= {*tried, *extra}
        for keys in extra:
            doubtful |= _renamed(_at(mended, keys[:-1]), keys, place(faults[keys]["loc"])[1])


def validated(value: Any) -> Spec:
    """The spec that a document's value says; ValidationError where it is none."""
    # As JSON, so that a text is not taken for a number, and a date may be one.
    return Spec.model_validate_json(json.dumps(value), strict=True)


def is_certain(keys: Keys, doubtful: Collection[Keys]) -> bool:
    """Whether a part of the spec is as it was written, with all that it is beside."""
    beside = [others for each, others in _BESIDE.items() if any(_touch(each, place) for place in doubtful)]
    return not any(_touch(keys, place) for place in chain(doubtful, *beside))


def _mend(document: dict[str, Any], keys: Keys, fault: ErrorDetails, tried: Collection[Keys]) -> Keys:
    """Put a stand-in where the fault is, or leave the part out; the place of what is now in doubt."""
    if isinstance(keys[-1], int) and keys not in tried:
        _put(document, keys, "")  # the others keep their places in the list
        return keys
    # What was mended in vain is wrong as a whole, as is what lacks a part that has no stand-in.
    if fault["type"] == "missing" and not _stand_ins(keys):
        keys = keys[:-1]
    # So is a list, of which an entry cannot be left out.
    while keys in tried or isinstance(keys[-1], int):
        keys = keys[:-1]
    _at(document, keys[:-1]).pop(keys[-1], None)
    for stand_in in _stand_ins(keys):
        _put(document, keys, json.loads(json.dumps(stand_in)))
    if keys[0] == "datasets" and keys[2:] in (("columns",), ("event_time",)):
        _put(document, (*keys[:2], "prepare"), "")
    return keys


def _renamed(held: Any, wrong: Keys, holder: Mapping[str, Any]) -> set[Keys]:
    """Put what is under a misspelt key under the one that was meant, if there is one, and give that."""
    if not isinstance(held, dict) or wrong[-1] not in held:
        return set()
    value, name = held.pop(wrong[-1]), closest(wrong[-1], holder["properties"])
    if name is None or name in held:
        return set()
    held[name] = value
    return {(*wrong[:-1], name)}


def _stand_ins(keys: Keys) -> list[Any]:
    """The stand-in for the part of these keys, or none."""
    return [each for place, each in _STAND_INS.items() if len(place) == len(keys) and _touch(place, keys)]


def _at(document: Any, keys: Keys) -> Any:
    """What is there; an empty part where another fault has taken it away."""
    for key in keys:
        there = key in document if isinstance(document, dict) else isinstance(document, list)
        document = document[key] if there else {}
    return document


def _put(document: Any, keys: Keys, value: Any) -> None:
    held, key = _at(document, keys[:-1]), keys[-1]
    if isinstance(held, dict) or (isinstance(key, int) and key < len(held)):
        held[key] = value


def _touch(one: Keys, other: Keys) -> bool:
    """Whether the one place is the other, within it, or around it."""
    return all(_ANY in (a, b) or a == b for a, b in zip(one, other, strict=False))


def _of_unknown_kinds(spec: Spec, doubtful: Collection[Keys]) -> Spec:
    """A column whose kind is in doubt is of none, as is one that `prepare` adds or counting makes."""
    counted = not spec.batches.rows and any(_touch(keys, ("batches", "rows")) for keys in doubtful)
    for rules in spec.datasets.values():
        if rules.event_time and (counted or spec.events not in spec.datasets):
            cast(dict[str, Any], rules.columns).setdefault(rules.event_time, None)
    for keys in doubtful:
        if len(keys) == len(_COLUMN) and _touch(keys, _COLUMN):
            cast(dict[str, Any], spec.datasets[str(keys[1])].columns)[str(keys[3])] = None
    return spec
