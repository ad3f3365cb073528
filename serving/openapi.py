"""The OpenAPI document of a project's service: its routes, what they take, and what they answer."""

from collections.abc import Mapping

from core.spec import Spec
from serving.access.keys import SCOPES
from serving.request.bodies import ARROW
from serving.request.limits import TIMEOUT
from serving.schemas import Schema, schemas
from serving.service import Service


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
            "/healthz": {"get": _plain("Whether the service lives", {200: "alive"})},
            "/readyz": {"get": _plain("Whether it answers, and what is wrong", _READY)},
            f"/v1/{name}/traffic": {"get": _traffic()},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": schemas(service),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
        "security": [] if service.guard is None else [{"key": []}],
    }


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
    version = {
        "name": "version",
        "in": "query",
        "schema": {"type": "string"},
        "description": "the champion's by default",
    }
    return "get", {
        "summary": "The card of a version",
        "parameters": [version],
        "responses": _responses(200, {"type": "object"}),
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


def _plain(summary: str, told: Mapping[int, str]) -> Schema:
    content = {"application/json": {"schema": {"type": "object"}}}
    responses = {str(code): {"description": each, "content": content} for code, each in told.items()}
    return {"summary": summary, "security": [], "responses": responses}


def _traffic() -> Schema:
    content = {"application/json": {"schema": {"type": "object"}}}
    told = {"200": {"description": "answered", "content": content}, **_refused("401", "403", "404", "422")}
    return {
        "summary": "The release, the traffic so far and the last judgement",
        "parameters": [_switch("past", "what was counted in the last minutes, too, look by look")],
        "responses": told,
    }


def _metrics() -> Schema:
    text = {"description": "Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"summary": "Metrics of all workers", "responses": {"200": text, **_refused("401", "403")}}


def _refused(*codes: str) -> Schema:
    return {code: _refusal(REFUSALS[code]) for code in (*codes, "429", "500", "503")}


def _switch(name: str, what: str) -> Schema:
    return {"name": name, "in": "query", "description": what, "schema": {"type": "boolean", "default": False}}


_KEY = f"an API key made by `make api-key`, for some of the scopes {', '.join(SCOPES)}"
_READY = {200: "ready", 503: "not ready: no version serves, or the API keys were not read yet"}
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
