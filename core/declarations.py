"""What a feature may be declared as in a spec."""

from typing import Annotated, Literal

from pydantic import Field

from core.scalars import Duration, FeatureKind, Model, Window, Zone


class RowFeature(Model):
    """A column of the event itself that is known at decision time, as it is."""

    from_: Literal["row"] = Field(alias="from")
    column: str
    kind: FeatureKind


class LocalTime(Model):
    """A part of an instant in local time, as a number."""

    from_: Literal["time"] = Field(alias="from")
    column: str
    part: Literal["hour", "minute_of_day", "weekday"]
    timezone: Zone

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


class Lookup(Model):
    """A column of another dataset: of the row with the same key or, if that dataset has a
    `known_at`, of the newest such row known by decision time and not older than `within`.

    `by` maps the event's columns to the other dataset's.
    """

    from_: Literal["lookup"] = Field(alias="from")
    dataset: str
    column: str
    kind: FeatureKind
    by: dict[str, str] = Field(min_length=1)
    within: Duration | None = None


class Trailing(Model):
    """A statistic over the entity's own past events that were known by decision time.

    `mean` and `sum` are those of `value` (a boolean's mean is a rate); `count` counts the events
    where it is known. `by` is the entity's key; the window reaches back `over` from decision time.
    A value is known at the events' column `known_at`, by default when the outcome is.
    """

    from_: Literal["trailing"] = Field(alias="from")
    by: tuple[str, ...]
    value: str
    statistic: Literal["mean", "count", "sum"]
    over: Window
    known_at: str | None = None

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


Input = Annotated[RowFeature | LocalTime | Lookup | Trailing, Field(discriminator="from_")]


class Derived(Model):
    """The result of a function of the project's `functions.py`: a Polars expression over the
    event's columns, the other features and `inputs`, which are features for this function alone.
    """

    from_: Literal["function"] = Field(alias="from")
    function: str
    kind: FeatureKind
    inputs: dict[str, Input] = Field(default_factory=dict)


Feature = Annotated[RowFeature | LocalTime | Lookup | Trailing | Derived, Field(discriminator="from_")]
