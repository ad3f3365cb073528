"""The story of a project in plain facts: its models, its drift, how good it was, what retraining pays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from core.errors import PerennialError


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure with its interval; None is what could not be measured."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def read(cls, kept: Mapping[str, float | None] | None) -> Self:
        """What a `value`, a `low` and a `high` say; nothing of None."""
        return cls(*((kept or {}).get(name) for name in ("value", "low", "high")))


@dataclass(frozen=True, slots=True)
class Model:
    """A version: its measures on its holdout, what the gate said of it ("" if it was not asked).

    `made` is the instant at which it stands, as ISO text; `run` the id of its W&B run, or "".
    """

    version: str
    family: str
    stage: str
    made: str
    measures: Mapping[str, Measured]
    gate: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """A batch that was scored: by which version, what had drifted, how good it was, what was decided.

    `outcome` is what came of the decision, or "". `drift` is the share (0 to 1) of the importance in
    inputs that drifted; `final` is false while outcomes are due.
    """

    batch: str
    version: str
    measures: Mapping[str, Measured]
    baseline: Mapping[str, float | None]
    drift: float | None
    prediction_drift: float | None
    decision: str
    outcome: str
    reasons: Sequence[str]
    final: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What one way to retrain would have given; `losses` are by batch. A `bound` is no policy to have."""

    name: str
    bound: bool
    losses: Mapping[str, float | None]
    loss: float | None
    against_never: Measured
    regret: Measured
    net_value: Measured
    retrainings: int | None
    promoted: int | None
    training_seconds: float | None
    false_alarms: int | None
    missed_alarms: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The history lived through again under several policies; `recommended` and `present` name one."""

    loss_name: str
    batches: Sequence[str]
    policies: Sequence[Policy]
    present: str
    recommended: str
    why: Sequence[str]
    findings: Sequence[str]

    @classmethod
    def read(cls, kept: Mapping[str, Any], place: str) -> Self:
        """A replay from its summary, which lies at `place`.

        PerennialError when it is none.
        """
        try:
            advice = kept.get("recommended") or {}
            return cls(
                loss_name=str(kept.get("loss_name") or "loss"),
                batches=[str(batch) for batch in kept["batches"]],
                policies=[_policy(each) for each in kept["policies"]],
                present=str(kept.get("present") or ""),
                recommended=str(advice.get("policy") or ""),
                why=[str(sentence) for sentence in advice.get("why") or ()],
                findings=[str(sentence) for sentence in kept.get("findings") or ()],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise PerennialError(f"{place}: no summary of a replay ({error!r}): replay again") from error


@dataclass(frozen=True, slots=True)
class Story:
    """All that the report tells. `headlines` are the keys of the two measures told of all.

    `drift_threshold` is None where drift is not watched; `replay` where the history was not replayed.
    """

    project: str
    title: str
    as_of: str
    headlines: Sequence[str]
    models: Sequence[Model] = ()
    watched: Sequence[Watched] = ()
    drift_threshold: float | None = None
    replay: Replay | None = None


def _policy(kept: Mapping[str, Any]) -> Policy:
    return Policy(
        name=str(kept["name"]),
        bound=bool(kept.get("bound")),
        losses={str(point["batch"]): point.get("loss") for point in kept["batches"]},
        against_never=Measured.read(kept.get("against_never")),
        regret=Measured.read(kept.get("regret")),
        net_value=Measured.read(kept.get("net_value")),
        **{name: kept.get(name) for name in _PLAIN},
    )


_PLAIN = ("loss", "retrainings", "promoted", "training_seconds", "false_alarms", "missed_alarms")
