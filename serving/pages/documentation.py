"""The OpenAPI document as a page: each route, its fields, its answers, its refusals, and how it is asked."""

import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from serving.openapi import document
from serving.pages.example import counting, example_row, placeholder
from serving.pages.page import page
from serving.schemas import Schema
from serving.service import Service

_NAMES = {"date-time": "instant (ISO 8601)", "date": "date (ISO 8601)", "int64": "integer"}
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body, or a parameter, in words; `place` is where a parameter is put."""

    name: str
    type: str
    about: str
    required: bool
    place: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a request may be told: the status, what that means, and as what it is sent."""

    status: str
    about: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """A route and a method, as the page tells them.

    `many` is how many rows a list of them may have; fields that are `unread` are of no account.
    """

    method: str
    path: str
    summary: str
    is_open: bool
    parameters: tuple[Field, ...]
    takes: tuple[str, ...]
    many: int | None
    body: tuple[Field, ...]
    unread: tuple[Field, ...]
    answer: tuple[Field, ...]
    answers: tuple[Told, ...]
    refusals: tuple[Told, ...]
    curl: str


def documentation_page(service: Service, url: str, request_id: str) -> Response:
    """The page; `url` is that of the service, as who reads it has reached it."""
    told, url = document(service), url.rstrip("/")
    unread, examples = service.fields.columns.keys() - counting(service), _examples(service, told)
    operations = [
        _operation(told, path, method, each, unread, _curl(told, url + path, each, examples.get(path)))
        for path, methods in told["paths"].items()
        for method, each in methods.items()
    ]
    return page(
        "documentation.html",
        request_id,
        project=service.name,
        title=told["info"]["title"],
        learning=told["info"]["description"],
        operations=operations,
        is_guarded=service.guard is not None,
        scheme=told["components"]["securitySchemes"]["key"]["description"],
    )


def _examples(service: Service, told: Schema) -> dict[str, Any]:
    """A body for each route that takes one."""
    schemas, path = told["components"]["schemas"], f"/v1/{service.name}"
    row = example_row(service, schemas["Row"])
    outcome = schemas["Outcome"]["properties"]
    key = {name: row[name] for name in outcome["key"]["properties"]}
    label = outcome["label"].get("enum", [placeholder(outcome["label"])])[0]
    return {f"{path}/predict": row, f"{path}/outcomes": {"key": key, "label": label}}


def _operation(
    told: Schema, path: str, method: str, each: Schema, unread: Collection[str], curl: str
) -> Operation:
    content = each.get("requestBody", {}).get("content", {})
    form, many = _one(told, content[_JSON]["schema"]) if content else ({}, None)
    status = min(each["responses"])
    answer, _ = _one(told, each["responses"][status]["content"].get(_JSON, {}).get("schema", {}))
    answers = [_told(code, response) for code, response in each["responses"].items()]
    return Operation(
        method=method.upper(),
        path=path,
        summary=each["summary"],
        is_open=not each.get("security", told["security"]),
        parameters=tuple(map(_parameter, each.get("parameters", []))),
        takes=tuple(content),
        many=many,
        body=tuple(field for field in _fields(form) if field.name not in unread),
        unread=tuple(field for field in _fields(form) if field.name in unread),
        answer=_fields(answer),
        answers=tuple(one for one in answers if one.status < "400"),
        refusals=tuple(one for one in answers if one.status >= "400"),
        curl=curl,
    )


def _one(told: Schema, schema: Schema) -> tuple[Schema, int | None]:
    """The schema of one object, where there may be one or a list of them, and how many."""
    alone, *several = schema.get("oneOf", [schema])
    name = alone.get("$ref", "").rpartition("/")[2]
    return told["components"]["schemas"].get(name, alone), several[0].get("maxItems") if several else None


def _fields(schema: Schema) -> tuple[Field, ...]:
    required = schema.get("required", [])
    return tuple(
        Field(name, type_told(each), each.get("description", ""), name in required)
        for name, each in sorted(
            schema.get("properties", {}).items(), key=lambda field: field[0] not in required
        )
    )


def _parameter(each: Schema) -> Field:
    place = "header" if each["in"] == "header" else "query"
    return Field(each["name"], type_told(each["schema"]), each.get("description", ""), False, place)


def _told(status: str, response: Schema) -> Told:
    return Told(status, response["description"], tuple(response["content"]))


def type_told(schema: Schema) -> str:
    """A type in words.

    >>> type_told({"type": ["string", "null"], "format": "date-time"})
    'instant (ISO 8601), or null'
    >>> type_told({"type": "array", "items": {"type": "number"}})
    'list of number'
    """
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    named = [_NAMES.get(schema.get("format", ""), kind) for kind in kinds if kind != "null"]
    if schema["type"] == "array":
        named = [f"list of {type_told(schema['items'])}"]
    return " or ".join(named) + (", or null" if "null" in kinds else "")


def _curl(told: Schema, url: str, each: Schema, body: Mapping[str, Any] | None) -> str:
    """How the route is asked from a shell."""
    parts = [f"curl {shlex.quote(url)}"]
    if each.get("security", told["security"]):
        parts.append('-H "Authorization: Bearer $PERENNIAL_KEY"')
    if body is not None:
        parts += [
            f"-H 'Content-Type: {_JSON}'",
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))}",
        ]
    return " \\\n  ".join(parts)
