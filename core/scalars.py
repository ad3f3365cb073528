"""The words that a spec is written in: kinds, durations, time zones, shares."""

from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

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
]
Window = Annotated[Duration, AfterValidator(_longer_than_nothing)]
Zone = Annotated[str, AfterValidator(_zone)]
Share = Annotated[float, Field(ge=0, le=1)]


class Model(BaseModel):
    """A part of the spec: frozen, and a key that it does not know is an error.

    The text below a key is its description wherever the spec is told of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
