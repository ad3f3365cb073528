"""A row to try the service with, of the fields that the features of a project read."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from core.lake import Lake
from serving.schemas import Schema
from serving.service import Service


def example_row(service: Service, row: Schema) -> dict[str, Any]:
    """The fields that count, as the newest row of the events has them where everybody may see it.

    A field that is personal, and all fields where keys are asked for, are told by their type alone. `row`
    is the schema of the rows.
    """
    spec, count = service.project.spec, counting(service)
    names = [name for name in row["properties"] if name in count]
    seen = {} if service.guard else _newest(service, names)
    return {
        name: seen[name]
        if name not in spec.serving.personal and seen.get(name) is not None
        else placeholder(row["properties"][name])
        for name in names
    }


def counting(service: Service) -> set[str]:
    """The fields that a row may need: those that features read, that it may not lack, or of its key."""
    spec = service.project.spec
    return {*service.featuriser.reads, *spec.serving.required, *spec.datasets[spec.events].key}


def placeholder(schema: Schema) -> Any:
    """What stands for a value of a type."""
    if schema.get("format") == "date-time":
        return "2030-01-31T12:00:00Z"
    if schema.get("format") == "date":
        return "2030-01-31"
    kinds = {"boolean": True, "integer": 1, "number": 1.5}
    return next((kinds[kind] for kind in kinds if kind in schema["type"]), "text")


def _newest(service: Service, names: list[str]) -> dict[str, Any]:
    """The last row of the newest batch of the events; nothing where there is none."""
    table, spec = f"raw/{service.project.spec.events}", service.project.spec
    lake = Lake(service.settings.lake, service.name)
    newest = lake.scan(table).select(pl.col("batch").max()).collect().item()
    if newest is None:
        return {}
    by = spec.datasets[spec.events].event_time
    rows = lake.scan(table, [newest])
    there = [name for name in names if name in rows.collect_schema()]
    found = (rows.sort(by, maintain_order=True) if by else rows).select(there).tail(1).collect()
    return {name: _plain(value) for name, value in found.row(0, named=True).items()}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value
