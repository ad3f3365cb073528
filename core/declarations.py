"""What a feature may be declared as in a spec."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from core.expressions import parse
from core.scalars import Duration, FeatureKind, Model, Window, Zone

Statistic = Literal["count", "mean", "rate", "sum", "quantile", "distinct", "since_last"]


WORDS = {"meaning", "unit"}
"""The keys of a declaration that only people read: they make no value another."""


class Described(Model):
    """What every declaration may say for people: what a feature means, and its unit."""

    meaning: str = ""
    unit: str = ""


class RowFeature(Described):
    """A column of the event itself that is known at decision time, as it is."""

    from_: Literal["row"] = Field(alias="from")
    column: str
    kind: FeatureKind


class LocalTime(Described):
    """A part of an instant in local time, as a number; with `cycle`, as a place on its circle.

    The circle of a part is its true period: a day, a week, that month, that year. Its last value
    lies beside its first, which `sin` and `cos` together say.
    """

    from_: Literal["time"] = Field(alias="from")
    column: str
    part: Literal["hour", "minute_of_day", "weekday", "day_of_month", "day_of_year", "month"]
    timezone: Zone
    cycle: Literal["sin", "cos"] | None = None

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


class Lookup(Described):
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


class Trailing(Described):
    """A statistic over the entity's own past events that were known by decision time.

    Of those where `value` is known: how many (`count`); its `mean`, `sum` or `quantile`; the `rate`
    at which it, a boolean, is true; how many `distinct` values it takes; the seconds since the
    newest became known (`since_last`). Without a `value`, `count` and `since_last` are of all of
    the entity's events. `by` is the entity's key; the window reaches back `over` from decision time.
    A value is known at the events' column `known_at`, by default when the outcome is.
    """

    from_: Literal["trailing"] = Field(alias="from")
    by: tuple[str, ...]
    value: str | None = None
    statistic: Statistic
    quantile: Annotated[float, Field(ge=0, le=1)] | None = None
    over: Window
    known_at: str | None = None

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.value is None and self.statistic not in ("count", "since_last"):
            raise ValueError(f"`statistic: {self.statistic}` needs the column whose it is: say `value`")
        if (self.quantile is not None) != (self.statistic == "quantile"):
            raise ValueError("`statistic: quantile` goes with `quantile: 0.9` or the like, and no other does")
        return self


class TargetRate(Described):
    """The rate at which the entity's past events had the label, drawn towards that of all events.

    `(labels + weight * prior) / (outcomes + weight)`, over the outcomes that became known `over`
    before decision time; `prior` is the share of labels among all entities' outcomes of that window.
    """

    from_: Literal["target_rate"] = Field(alias="from")
    by: tuple[str, ...]
    over: Window
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


class Lag(Described):
    """The value of one of the entity's own past events: the `back`-th newest known by decision time.

    Events whose `value` is not known are passed over, as are those known longer ago than `within`.
    Of events known at one instant the later one is the newer, then the one with the greater key.
    A value is known at the events' column `known_at`, by default when the outcome is.
    """

    from_: Literal["lag"] = Field(alias="from")
    by: tuple[str, ...]
    value: str
    kind: FeatureKind = "number"
    back: int = Field(default=1, ge=1)
    within: Window | None = None
    known_at: str | None = None


class Retrieved(Described):
    """What the retriever of the spec's `candidates` says of a row's item, for who asks at decision time.

    `score` is what lists are drawn by: `popularity`, the logarithm of the item's share of the events,
    and `affinity`, what the entity's own past adds to it. `rank` is 1 for the first of the list.
    """

    from_: Literal["retrieval"] = Field(alias="from")
    value: Literal["score", "popularity", "affinity", "rank"]

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


Past = Trailing | TargetRate | Lag
"""The features that are made of the entity's own past events."""

Input = Annotated[
    RowFeature | LocalTime | Lookup | Trailing | TargetRate | Lag | Retrieved, Field(discriminator="from_")
]
"""The features that are made of the data as it is: they read no other feature."""


def _readable(text: str) -> str:
    parse(text)
    return text


class Expression(Described):
    """SQL over the event's columns that are known at decision time, and the features that are an `Input`.

    Of one row at a time: no aggregate, no window. A feature hides the event's column of its name.
    """

    from_: Literal["expression"] = Field(alias="from")
    expression: Annotated[str, AfterValidator(_readable)]
    kind: FeatureKind = "number"


class Derived(Described):
    """The result of a function of the project's `functions.py`: a Polars expression over the
    event's columns, the other features and `inputs`, which are features for this function alone.
    """

    from_: Literal["function"] = Field(alias="from")
    function: str
    kind: FeatureKind
    inputs: dict[str, Input] = Field(default_factory=dict)


Feature = Annotated[
    RowFeature | LocalTime | Lookup | Trailing | TargetRate | Lag | Retrieved | Expression | Derived,
    Field(discriminator="from_"),
]
