"""Injections: what might have been delivered otherwise, as a question of what if says it."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from core.errors import SpecError
from core.scalars import Share, Window

Value = float | int | str | bool | None


class _Injection(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str | None = None
    """The dataset; by default the events."""
    since: str | None = None
    """The first batch, or a day in it; by default the first."""
    until: str | None = None
    """The last batch, or a day in it; by default the last."""


class Drift(_Injection):
    """A column that is other than it was: all of it, or the rows in which other columns have some values."""

    kind: Literal["drift"]
    """Says that it is this kind of injection."""
    column: str
    """The column, as it is delivered."""
    add: float | None = None
    """What is added to each of its numbers."""
    multiply: float | None = None
    """What each of its numbers is multiplied by."""
    value: Value = None
    """What each value is replaced by."""
    share: Share = 1.0
    """The share of the rows that are changed, drawn by chance."""
    where: dict[str, Value] = Field(default_factory=dict)
    """The values of other delivered columns that a row must have to be changed."""

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if (self.add, self.multiply, self.value) == (None, None, None):
            raise ValueError("should say what becomes of the column: add, multiply or value")
        return self


class Outage(_Injection):
    """Nothing is delivered of a dataset."""

    kind: Literal["outage"]
    """Says that it is this kind of injection."""


class LateLabels(_Injection):
    """Labels are known later than they were, and so is all that is made of them."""

    kind: Literal["late_labels"]
    """Says that it is this kind of injection."""
    by: Window = timedelta(days=1)
    """How much later."""


class BadBatch(_Injection):
    """Values of a column are missing: whether that stops the batch is for its suite to say."""

    kind: Literal["bad_batch"]
    """Says that it is this kind of injection."""
    column: str
    """The column, as it is delivered."""
    share: Share = 1.0
    """The share of its values that are missing, drawn by chance."""


Injection = Annotated[Drift | Outage | LateLabels | BadBatch, Field(discriminator="kind")]


_INJECTION: TypeAdapter[Drift | Outage | LateLabels | BadBatch] = TypeAdapter(Injection)


def injection(asked: object) -> Drift | Outage | LateLabels | BadBatch:
    """An injection as it is asked for; SpecError, with what would be right, where it is none."""
    try:
        return _INJECTION.validate_python(asked)
    except ValidationError as error:
        found = [".".join(map(str, ("inject", *each["loc"]))) + f": {each['msg']}" for each in error.errors()]
        raise SpecError("\n".join(found)) from None
