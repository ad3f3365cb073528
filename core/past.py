"""What a feature of the entity's own past may be declared as in a spec."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.scalars import FeatureKind, Model, Window, example

Statistic = Literal["count", "mean", "rate", "sum", "quantile", "distinct", "since_last"]

WORDS = {"meaning", "unit"}
"""The keys of a declaration that only people read: they make no value another."""


class Described(Model):
    """What every declaration may say for people."""

    meaning: str = ""
    """What the feature means, for people."""
    unit: str = ""
    """Its unit, for people."""


class Trailing(Described):
    """A statistic over the entity's own past events that were known by decision time."""

    model_config = example(
        {"from": "trailing", "by": ["shop"], "value": "paid", "statistic": "mean", "over": "7d"}
    )

    from_: Literal["trailing"] = Field(alias="from")
    """Says that it is this kind of feature."""
    by: tuple[str, ...]
    """The columns that are the entity's key."""
    value: str | None = None
    """The column whose statistic it is, of the events in which it is known. Without it, `count` and
    `since_last` are of all of the entity's events."""
    statistic: Statistic
    """How many (`count`); the `mean`, `sum` or `quantile`; the `rate` at which a boolean is true; how
    many `distinct` values; the seconds since the newest became known (`since_last`)."""
    quantile: Annotated[float, Field(ge=0, le=1)] | None = None
    """Which quantile, as a share, of `statistic: quantile`."""
    over: Window
    """How far the window reaches back from decision time."""
    known_at: str | None = None
    """The column of the events that says when the value is known; by default it is when the outcome is."""

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

    `(labels + weight * prior) / (outcomes + weight)`, where `prior` is the share of labels among all
    entities' outcomes of the window.
    """

    model_config = example({"from": "target_rate", "by": ["customer"], "over": "90d", "weight": 20})

    from_: Literal["target_rate"] = Field(alias="from")
    """Says that it is this kind of feature."""
    by: tuple[str, ...]
    """The columns that are the entity's key."""
    over: Window
    """How far the window of outcomes that became known reaches back from decision time."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """How many outcomes the prior weighs as much as."""

    @property
    def kind(self) -> FeatureKind:
        """Always a number."""
        return "number"


class Lag(Described):
    """The value of one of the entity's own past events that were known by decision time.

    Events whose value is not known are passed over. Of events known at one instant the later one is the
    newer, then the one with the greater key.
    """

    model_config = example({"from": "lag", "by": ["customer"], "value": "paid", "back": 2, "within": "30d"})

    from_: Literal["lag"] = Field(alias="from")
    """Says that it is this kind of feature."""
    by: tuple[str, ...]
    """The columns that are the entity's key."""
    value: str
    """The column."""
    kind: FeatureKind = "number"
    """What it is to a model: a number, a category, or a text."""
    back: int = Field(default=1, ge=1)
    """Which event: 1 is the newest known."""
    within: Window | None = None
    """How long ago the event may have become known at most."""
    known_at: str | None = None
    """The column of the events that says when the value is known; by default it is when the outcome is."""


Past = Trailing | TargetRate | Lag
"""The features that are made of the entity's own past events."""
