"""What a spec may say of its replay: policies of its own, and what retraining costs."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from core.scalars import Model, example

TAKEN = ("as it is", "never", "oracle", "all")
"""What the spec as it is, the bounds of every replay, and all policies together are called."""


def _not_taken(name: str) -> str:
    if name in TAKEN or ";" in name:
        raise ValueError(f"{name!r} is no name for a policy: it is taken, or has a semicolon")
    return name


PolicyName = Annotated[str, AfterValidator(_not_taken)]


# What a spec says that trains nothing, not even a first model.
_NOTHING: dict[str, Any] = {
    "monitoring": {"opened_by": [], "every": None},
    "training": {"first_batches": 1_000_000},
}


class Changes(Model):
    """What another policy, or another world, would say in place of the spec: any of its keys, in parts.

    Mappings are gone through key by key; every other value takes the place of the spec's, and `null` its
    default.
    """

    model_config = example({"monitoring": {"opened_by": [], "every": 2}, "training": {"window": "90d"}})

    monitoring: dict[str, Any] = Field(default_factory=dict)
    """When a retraining is opened."""
    training: dict[str, Any] = Field(default_factory=dict)
    """How models are fitted."""
    gate: dict[str, Any] = Field(default_factory=dict)
    """What a challenger must show."""
    serves: str | None = None
    """A version of the project that answers every batch from when it was made on; nothing is trained then."""

    def of_spec(self) -> dict[str, Any]:
        """What the spec would say."""
        return self.model_dump(exclude={"serves"}) | (_NOTHING if self.serves else {})


class ReplayCosts(Model):
    """What retraining costs, in the unit of `objective.costs`."""

    model_config = example({"training_hour": 20, "false_alarm": 5})

    training_hour: float = Field(default=0.0, ge=0)
    """An hour of training."""
    false_alarm: float = Field(default=0.0, ge=0)
    """A retraining that was opened in vain, beside its training."""


class Replay(Model):
    """What is compared when the project's history is replayed (`make replay`)."""

    model_config = example(
        {
            "policies": {"each quarter": {"monitoring": {"opened_by": [], "every": 3}}},
            "costs": {"training_hour": 20},
        }
    )

    policies: dict[PolicyName, Changes] = Field(default_factory=dict)
    """Policies by name, beside those that every replay compares."""
    costs: ReplayCosts = ReplayCosts()
    """What retraining costs."""
