"""What a request and its answer hold, as JSON schemas: the rows as the spec has them, field by field."""

from datetime import timedelta
from typing import Any

import polars as pl

from core.spec import Feature, FeatureKind, Lookup, Spec, Trailing
from features.columns import DECISION
from features.entities import entity_columns
from models.problem import problem_of
from serving.service import Service

Schema = dict[str, Any]
_KINDS: dict[FeatureKind, str] = {"number": "number", "category": "string", "text": "string"}
_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}


def schemas(service: Service) -> dict[str, Schema]:
    """By the names by which the routes refer to them."""
    return {
        "Row": row_schema(service),
        "Answer": answer_schema(service.project.spec),
        "Outcome": outcome_schema(service),
        "Problem": _PROBLEM,
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
        meaning = _meaning(feature)
        if name in fields:
            fields[name]["description"] += f": {meaning}" if meaning else ""
            continue
        fields[name] = {
            "type": [_KINDS[feature.kind], "null"],
            "description": "a feature, made where it is not given" + (f": {meaning}" if meaning else ""),
        }
    fields[DECISION] = _INSTANT | {"description": "the instant whose knowledge counts; now by default"}
    return {
        "type": "object",
        "properties": fields,
        "required": list(spec.serving.required),
        "additionalProperties": False,
    }


def _meaning(feature: Feature) -> str:
    """What a feature tells, in the spec's words, or in those of its declaration."""
    made_of = ""
    if isinstance(feature, Lookup):
        made_of = f"{feature.column} of {feature.dataset}"
    if isinstance(feature, Trailing):
        counted = f"{feature.statistic} of {feature.value}" if feature.value else feature.statistic
        made_of = f"{counted} by {', '.join(feature.by)} over the last {_span(feature.over)}"
    return " ".join(filter(None, (feature.meaning or made_of, f"({feature.unit})" if feature.unit else "")))


def _span(over: timedelta) -> str:
    hours = over / timedelta(hours=1)
    return f"{hours:g} h" if hours < 48 else f"{hours / 24:g} days"


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


def answer_schema(spec: Spec) -> Schema:
    """What a row is answered with."""
    said = spec.objective.output or spec.outcome.label
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
            "prediction": (many if several else {"type": "number"}) | {"description": said},
            "version": {"type": "string", "description": "the model version that answered"},
            "request_id": {"type": "string", "description": "by which an outcome may be told"},
            "degraded": {"type": "boolean", "description": "answered without the online store"},
            "explanation": {
                "type": "array",
                "items": part,
                "description": "if it is asked for: what moved it most",
            },
            "features": {"type": "object", "description": "if they are asked for: what it was made of"},
            "durable": {"type": "boolean", "description": "if it is asked for: whether it is on record"},
        },
        "required": ["prediction", "version", "request_id", "degraded"],
    }


def outcome_schema(service: Service) -> Schema:
    """What is told of what came of a row."""
    spec = service.project.spec
    label: Schema = {"type": "boolean"} if spec.problem == "binary" else {"type": "number"}
    if spec.problem == "multiclass":
        label = {"type": "string", "enum": list(spec.outcome.classes)}
    key = spec.datasets[spec.events].key
    fields = {name: of_dtype(service.fields.columns[name]) for name in key}
    return {
        "type": "object",
        "properties": {
            "request_id": {"type": ["string", "null"], "description": "that of the answer, or else its key"},
            "key": {
                "type": ["object", "null"],
                "properties": fields,
                "required": list(key),
                "description": f"the key of the event: {', '.join(key)}",
            },
            "label": label | {"description": f"what came of it: {spec.outcome.label}"},
            "known_at": _INSTANT | {"description": "when it could first be known; now by default"},
        },
        "required": ["label"],
        "additionalProperties": False,
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
