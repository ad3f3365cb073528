"""What a feature may be declared as in a spec."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from core.expressions import parse
from core.past import Described, Lag, TargetRate, Trailing
from core.scalars import Duration, FeatureKind, Zone, example


class RowFeature(Described):
    """A column of the event itself that is known at decision time, as it is."""

    model_config = example({"from": "row", "column": "paid", "kind": "number", "unit": "EUR"})

    from_: Literal["row"] = Field(alias="from")
    """Says that it is this kind of feature."""
    column: str
    """The column of the events."""
    kind: FeatureKind
    """What it is to a model: a number, a category, or a text."""


class LocalTime(Described):
    """A part of an instant in local time, as a number; with `cycle`, as a place on its circle.

    The circle of a part is its true period: a day, a week, that month, that year. Its last value
    lies beside its first, which `sin` and `cos` together say.
    """

    model_config = example(
        {"from": "time", "column": "ordered_at", "part": "hour", "timezone": "Europe/Rome"}
    )

    from_: Literal["time"] = Field(alias="from")
    """Says that it is this kind of feature."""
    column: str
    """The column of the events that holds the instant."""
    part: Literal["hour", "minute_of_day", "weekday", "day_of_month", "day_of_year", "month"]
    """Which part of the time or the date it is."""
    timezone: Zone
    """The time zone of the clock that it is read from."""
    cycle: Literal["sin", "cos"] | None = None
    """Which coordinate on the circle, if any."""

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


class Lookup(Described):
    """A column of another dataset: of the row with the same key or, if that dataset has a
    `known_at`, of the newest such row known by decision time.
    """

    model_config = example(
        {
            "from": "lookup",
            "dataset": "weather",
            "column": "rain",
            "kind": "number",
            "by": {"town": "place"},
            "within": "6h",
            "unit": "mm",
        }
    )

    from_: Literal["lookup"] = Field(alias="from")
    """Says that it is this kind of feature."""
    dataset: str
    """The other dataset."""
    column: str
    """The column of it."""
    kind: FeatureKind
    """What it is to a model: a number, a category, or a text."""
    by: dict[str, str] = Field(min_length=1)
    """The columns of the events whose values are those of columns of the other dataset: `{event's:
    other's}`."""
    within: Duration | None = None
    """How long ago the row may have become known at most."""


class Retrieved(Described):
    """What the retriever of the spec's `candidates` says of a row's item, for who asks at decision time."""

    model_config = example({"from": "retrieval", "value": "score"})

    from_: Literal["retrieval"] = Field(alias="from")
    """Says that it is this kind of feature."""
    value: Literal["score", "popularity", "affinity", "rank"]
    """The `score` is what lists are drawn by: `popularity`, the logarithm of the item's share of the
    events, and `affinity`, what the entity's own past adds to it. `rank` is 1 for the first of the list."""

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


Input = Annotated[
    RowFeature | LocalTime | Lookup | Trailing | TargetRate | Lag | Retrieved, Field(discriminator="from_")
]
"""The features that are made of the data as it is: they read no other feature."""


def _readable(text: str) -> str:
    parse(text)
    return text


class Expression(Described):
    """SQL over the event's columns that are known at decision time, and over features that read no other.

    Of one row at a time: no aggregate, no window. A feature hides the event's column of its name.
    """

    model_config = example({"from": "expression", "expression": "paid / items"})

    from_: Literal["expression"] = Field(alias="from")
    """Says that it is this kind of feature."""
    expression: Annotated[str, AfterValidator(_readable)]
    """The expression, in SQL."""
    kind: FeatureKind = "number"
    """What it is to a model: a number, a category, or a text."""


class Derived(Described):
    """The result of a function of the project's `functions.py`: a Polars expression over the
    event's columns, the other features and its inputs.
    """

    model_config = example(
        {
            "from": "function",
            "function": "shop_age",
            "kind": "number",
            "inputs": {
                "opened": {
                    "from": "lookup",
                    "dataset": "shops",
                    "column": "opened",
                    "kind": "number",
                    "by": {"shop": "shop"},
                }
            },
        }
    )

    from_: Literal["function"] = Field(alias="from")
    """Says that it is this kind of feature."""
    function: str
    """The name of the function, which takes nothing."""
    kind: FeatureKind
    """What it is to a model: a number, a category, or a text."""
    inputs: dict[str, Input] = Field(default_factory=dict)
    """Features for this function alone, by name."""


Feature = Annotated[
    RowFeature | LocalTime | Lookup | Trailing | TargetRate | Lag | Retrieved | Expression | Derived,
    Field(discriminator="from_"),
]
