"""The OpenAPI document of a project's service: its rows as the spec has them, field by field."""

from typing import Any

import polars as pl

from core.spec import FeatureKind, Spec
from features.columns import DECISION
from features.entities import entity_columns
from models.problem import problem_of
from serving.access.keys import SCOPES
from serving.bodies import ARROW
from serving.limits import TIMEOUT
from serving.service import Service

Schema = dict[str, Any]
_KINDS: dict[FeatureKind, str] = {"number": "number", "category": "string", "text": "string"}
_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}


def document(service: Service) -> Schema:
    """The document, of version 3.1."""
    spec, name = service.project.spec, service.name
    answers = {
        "predict": _predict(spec),
        "outcomes": _outcomes(spec),
        "model": _model(),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": spec.title, "version": "1", "description": spec.objective.learning},
        "paths": {
            **{f"/v1/{name}/{path}": {method: each} for path, (method, each) in answers.items()},
            "/healthz": {"get": _plain("Whether the service lives", "alive")},
            "/readyz": {"get": _plain("Whether it answers, and what is wrong", "ready", 503)},
            f"/v1/{name}/traffic": {"get": _traffic()},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": {
                "Row": row_schema(service),
                "Answer": _answer(spec),
                "Outcome": _outcome(service),
                "Problem": _PROBLEM,
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
        "security": [] if service.guard is None else [{"key": []}],
    }


def row_schema(service: Service) -> Schema:
    """A row: the columns of the events, the features that may be given, and the instant of decision."""
    spec, about = service.project.spec, entity_columns(service.project.spec)
    fields: dict[str, Schema] = {}
    for name, dtype in service.fields.columns.items():
        told = ["a column of the events"]
        told += ["of whom the answer is about"] if name in about else []
        fields[name] = {**of_dtype(dtype), "description": ", ".join(told)}
    for name, feature in spec.features.items():
        meaning = " ".join(filter(None, (feature.meaning, f"({feature.unit})" if feature.unit else "")))
        if name in fields:
            fields[name]["description"] += f": {meaning}" if meaning else ""
            continue
        kept = "else it is made of the row, and of what is known now"
        fields[name] = {
            "type": [_KINDS[feature.kind], "null"],
            "description": f"a feature, if it is known{f': {meaning}' if meaning else ''}; {kept}",
        }
    fields[DECISION] = _INSTANT | {"description": "the instant whose knowledge counts; now by default"}
    return {
        "type": "object",
        "properties": fields,
        "required": list(spec.serving.required),
        "additionalProperties": False,
    }


def of_dtype(dtype: pl.DataType) -> Schema:
    """What JSON holds a column as."""
    if dtype == pl.Boolean:
        return {"type": ["boolean", "null"]}
    if dtype.is_integer():
        return {"type": ["integer", "null"], "format": "int64"}
    if dtype.is_float():
        return {"type": ["number", "null"]}
    if isinstance(dtype, pl.Datetime):
        return dict(_INSTANT)
    if dtype == pl.Date:
        return {"type": ["string", "null"], "format": "date"}
    return {"type": ["string", "null"]}


def _predict(spec: Spec) -> tuple[str, Schema]:
    switches = [
        _switch("explain", "the features that moved each answer most"),
        _switch("features", "the features that each answer was made of"),
        _switch("durable", "wait until the answers are on record, and say so"),
    ]
    rows = {"$ref": "#/components/schemas/Row"}
    answers = {"$ref": "#/components/schemas/Answer"}
    return "post", {
        "summary": f"Predict {spec.objective.output or spec.outcome.label}",
        "parameters": [*switches, _DEADLINE],
        "requestBody": _body(rows, spec.serving.max_rows, arrow=True),
        "responses": _responses(200, {"oneOf": [answers, {"type": "array", "items": answers}]}, arrow=True),
    }


def _outcomes(spec: Spec) -> tuple[str, Schema]:
    recorded = {"type": "object", "properties": {"recorded": {"type": "integer"}}}
    return "post", {
        "summary": "Tell what came of rows, by the id of their request or by their key",
        "parameters": [_DEADLINE],
        "requestBody": _body({"$ref": "#/components/schemas/Outcome"}, spec.serving.max_rows),
        "responses": _responses(202, recorded),
    }


def _model() -> tuple[str, Schema]:
    version = {"name": "version", "in": "query", "schema": {"type": "string"}, "description": "the champion"}
    return "get", {
        "summary": "The card of a version",
        "parameters": [version],
        "responses": _responses(200, {"type": "object"}),
    }


def _answer(spec: Spec) -> Schema:
    several = problem_of(spec).link in ("softmax", "sorted")
    many = {"type": "object", "additionalProperties": {"type": "number"}}
    part = {
        "type": "object",
        "properties": {
            "feature": {"type": "string"},
            "value": {"type": ["number", "string", "null"]},
            "contribution": {"type": "number"},
        },
    }
    return {
        "type": "object",
        "properties": {
            "prediction": many if several else {"type": "number"},
            "version": {"type": "string", "description": "the model version that answered"},
            "request_id": {"type": "string", "description": "by which an outcome may be told"},
            "degraded": {"type": "boolean", "description": "answered without the online store"},
            "explanation": {"type": "array", "items": part},
            "features": {"type": "object"},
            "durable": {"type": "boolean"},
        },
        "required": ["prediction", "version", "request_id", "degraded"],
    }


def _outcome(service: Service) -> Schema:
    spec = service.project.spec
    label: Schema = {"type": "boolean"} if spec.problem == "binary" else {"type": "number"}
    if spec.problem == "multiclass":
        label = {"type": "string", "enum": list(spec.outcome.classes)}
    key = spec.datasets[spec.events].key
    fields = {name: of_dtype(service.fields.columns[name]) for name in key}
    return {
        "type": "object",
        "properties": {
            "request_id": {"type": ["string", "null"]},
            "key": {"type": ["object", "null"], "properties": fields, "required": list(key)},
            "label": label,
            "known_at": _INSTANT | {"description": "when it could first be known; now by default"},
        },
        "required": ["label"],
        "additionalProperties": False,
    }


def _body(row: Schema, most: int, *, arrow: bool = False) -> Schema:
    rows = {"oneOf": [row, {"type": "array", "items": row, "minItems": 1, "maxItems": most}]}
    stream = {ARROW: {"schema": {"type": "string", "contentMediaType": ARROW}}} if arrow else {}
    return {"required": True, "content": {"application/json": {"schema": rows}, **stream}}


def _responses(status: int, schema: Schema, *, arrow: bool = False) -> Schema:
    stream = {ARROW: {"schema": {"type": "string", "contentMediaType": ARROW}}} if arrow else {}
    answered = {"description": "answered", "content": {"application/json": {"schema": schema}, **stream}}
    return {str(status): answered, **{code: _refusal(why) for code, why in REFUSALS.items()}}


def _refusal(why: str) -> Schema:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _plain(summary: str, told: str, *others: int) -> Schema:
    content = {"application/json": {"schema": {"type": "object"}}}
    responses = {str(code): {"description": told, "content": content} for code in (200, *others)}
    return {"summary": summary, "security": [], "responses": responses}


def _traffic() -> Schema:
    content = {"application/json": {"schema": {"type": "object"}}}
    told = {"200": {"description": "answered", "content": content}, **_refused("401", "403", "404")}
    return {"summary": "The release, the traffic so far and the last judgement", "responses": told}


def _metrics() -> Schema:
    text = {"description": "Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"summary": "Metrics of all workers", "responses": {"200": text, **_refused("401", "403")}}


def _refused(*codes: str) -> Schema:
    return {code: _refusal(REFUSALS[code]) for code in (*codes, "429", "500", "503")}


def _switch(name: str, what: str) -> Schema:
    return {"name": name, "in": "query", "description": what, "schema": {"type": "boolean", "default": False}}


_KEY = f"an API key made by `make api-key`, for some of the scopes {', '.join(SCOPES)}"
_DEADLINE: Schema = {
    "name": TIMEOUT,
    "in": "header",
    "description": "milliseconds within which an answer is of use",
    "schema": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 86_400_000},
}
REFUSALS = {
    "400": "the body broke off",
    "401": "no API key, or a wrong one",
    "403": "the API key lacks the scope",
    "404": "no such project, or no such version",
    "413": "too long, or too many rows",
    "415": "neither JSON nor Arrow",
    "422": "not of the form of these rows: which field, and why",
    "429": "the API key asks too often",
    "500": "the service failed",
    "503": "at its limit, or not ready: ask again after Retry-After",
    "504": "not answered within the client's time",
}
_PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "request_id": {"type": "string"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer"},
                    "field": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
    },
    "required": ["error", "request_id"],
}
