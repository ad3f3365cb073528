"""The words that a spec is written in: kinds, durations, time zones, shares."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from core.batches import duration
from core.words import nearest

NAME = "^[a-z][a-z0-9_]*$"
SHA256 = "^[0-9a-f]{64}$"

Kind = Literal["integer", "float", "string", "boolean", "datetime", "date"]
FeatureKind = Literal["number", "category", "text"]


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else duration(str(value))


def _longer_than_nothing(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("should be longer than nothing")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"no time zone {value!r}{nearest(value, available_timezones())}") from None
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: f"{int(value.total_seconds())}s"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9}[smhdw]$"}),
]
Window = Annotated[
    Duration,
    AfterValidator(_longer_than_nothing),
    WithJsonSchema({"type": "string", "pattern": "^(?=.*[1-9])[0-9]{1,9}[smhdw]$"}),
]
Zone = Annotated[
    str,
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"}),
]
Day = Annotated[
    date,
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
Share = Annotated[float, Field(ge=0, le=1)]


class Model(BaseModel):
    """A part of the spec: frozen, and a key that it does not know is an error.

    The text below a key is its description wherever the spec is told of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def example(keys: dict[str, Any]) -> ConfigDict:
    """A part of the spec as it may be written, for the pages and the editors that tell of it."""
    return ConfigDict(json_schema_extra={"examples": [keys]})
