"""Sentences about a spec that does not validate: where, what is wrong, what would be right."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.documents import Document, Keys
from core.operating import BLOCK
from core.scalars import NAME, SHA256
from core.secrets import without_password
from core.spec import Spec
from core.words import closest, nearest

# What a value should be, by the type of the error.
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "date_type": "a date such as 2013-01-31",
    "date_parsing": "a date such as 2013-01-31",
    "date_from_datetime_parsing": "a date such as 2013-01-31",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
}

# And what a text should be, by its pattern.
_PATTERNS = {
    NAME: "a name of lower-case letters, digits and _, such as late_arrivals",
    BLOCK: "a block as <type>/<name>, in lower case, such as slack-webhook/operations",
    SHA256: "the 64 hexadecimal digits of a SHA-256, in lower case",
}


def sentences(error: ValidationError, document: Document) -> list[str]:
    """Each problem once: file, line and key, what is wrong there, and what would be right."""
    found: dict[Keys, list[ErrorDetails]] = {}
    for fault in error.errors():
        found.setdefault(place(fault["loc"])[0], []).append(fault)
    for key in _misspelt(error):
        if key in found and found[key][0]["type"] == "missing":
            del found[key]
    return [document.at(*_sentence(faults)) for faults in found.values()]


def _misspelt(error: ValidationError) -> set[Keys]:
    """The keys that misspelt ones were meant for: they are there, after all."""
    extra = [place(fault["loc"]) for fault in error.errors() if fault["type"] == "extra_forbidden"]
    meant = [(keys[:-1], closest(keys[-1], holder["properties"])) for keys, holder, _ in extra]
    return {(*keys, name) for keys, name in meant if name is not None}


def _sentence(faults: Sequence[ErrorDetails]) -> tuple[Keys, str]:
    """The keys that it speaks of, and what is wrong there; faults at one place are of a union's members."""
    fault = faults[0]
    keys, holder, node = place(fault["loc"])
    given = fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            return keys, f"no such key{nearest(keys[-1], list(holder['properties']))}"
        case "missing":
            return keys, "is missing"
        case "too_short":
            return keys, "is empty"
        case "value_error":
            return keys, fault["msg"].removeprefix("Value error, ")
        case "literal_error":
            return keys, f"is {_shown(given)}{nearest(given, node.get('enum') or [node['const']])}"
        case "union_tag_not_found" | "union_tag_invalid":
            key, words = node["discriminator"]["propertyName"], sorted(node["discriminator"]["mapping"])
            if key not in given and (wrong := closest(key, list(map(str, given)))):
                return (*keys, wrong), f"no such key{nearest(wrong, [key])}"
            is_what = f"is {_shown(given[key])}" if key in given else "is missing"
            return (*keys, key), f"{is_what}{nearest(given.get(key), words)}"
    wanted = [said for said in map(_wanted, faults) if said]
    if not wanted:
        return keys, fault["msg"].replace("Input should", "should")
    return keys, f"should be {' or '.join(dict.fromkeys(wanted))}, not {_shown(given)}"


def _wanted(fault: ErrorDetails) -> str:
    limits = fault.get("ctx", {})
    if fault["type"] == "string_pattern_mismatch":
        return _PATTERNS[limits["pattern"]]
    return _WANTED.get(fault["type"], "").format(**limits)


def _shown(given: Any) -> str:
    if isinstance(given, dict | list):
        return "a list" if isinstance(given, list) else "keys with values"
    return "empty" if given is None else without_password(json.dumps(given, ensure_ascii=False))


def place(location: Sequence[int | str]) -> tuple[Keys, dict[str, Any], dict[str, Any]]:
    """The steps of a location that are keys of the file; the schemas of what holds the last, and of it.

    The other steps are the words of a union for its members: they stand nowhere in the file.
    """
    keys: list[int | str] = []
    holder, node = {}, _resolved(_schema())
    for step in location:
        if "discriminator" in node:
            node = _resolved({"$ref": node["discriminator"]["mapping"][step]})
        elif inner := node.get("properties") or node.get("additionalProperties") or node.get("items"):
            keys.append(step)
            holder, node = node, _resolved(inner.get(step, {}) if "properties" in node else inner)
    return tuple(keys), holder, node


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return dict(_schema()["$defs"][node["$ref"].rsplit("/", 1)[1]])
    options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    return _resolved(options[0]) if len(options) == 1 else node


@cache
def _schema() -> dict[str, Any]:
    return Spec.model_json_schema(by_alias=True)
