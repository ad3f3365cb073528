"""The JSON schema of a project's spec, as editors read it."""

import json
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from core.spec import Spec
from models.family import families, family

Node = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def schema() -> Node:
    """The schema of `project.yaml` (JSON Schema, 2020-12), made of the models that read it.

    What a model asks of several keys together is not in it: `make check` says that.
    """
    found = _tidy(Spec.model_json_schema(by_alias=True))
    training = found["$defs"]["Training"]["properties"]
    for name in families():
        found["$defs"][f"parameters_of_{name}"] = _tidy(family(name).Parameters.model_json_schema())
    parameters = {name: {"$ref": f"#/$defs/parameters_of_{name}"} for name in families()}
    training["parameters"] |= {"properties": parameters, "additionalProperties": False}
    for rules in (training, found["$defs"]["Tuning"]["properties"]):
        rules["families"]["items"] = {"enum": families()}
    return {"$schema": DRAFT, "title": "The spec of a project: project.yaml", **found}


def schema_text() -> str:
    """The same as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Without the titles that are made of the names of keys; durations as a spec has them."""
    if isinstance(node, list):
        return [_tidy(part) for part in node]
    if not isinstance(node, dict):
        return node
    tidied = {key: _tidy(part) for key, part in node.items() if key != "title" or isinstance(part, dict)}
    if isinstance(node.get("description"), str):
        paragraphs = node["description"].split("\n\n")
        tidied["description"] = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    if isinstance(node.get("default"), str) and node["default"].startswith("P"):
        tidied["default"] = _duration(TypeAdapter(timedelta).validate_python(node["default"]))
    return tidied


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
