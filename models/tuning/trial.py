"""One trial of a search for parameters: fits on the past, each judged by the stretch of time after it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, Self

import polars as pl

from core.errors import PerennialError
from core.learning import Tuning
from core.spec import Spec
from models.family import Parameter
from models.fit import Given, calibrated
from models.split import cut, folds, learnable

Means = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Parameters to try, and what those did that were tried in earlier rounds: their `Trial.means`."""

    number: int
    parameters: Mapping[str, Parameter]
    peers: tuple[Means, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a proposal.

    `losses` are the mean losses over the folds that were fitted, each of so many judged `units`.
    A trial is `pruned` when others did better on the same folds, and `failed` when a fit did not
    end, for this `reason`.
    """

    number: int
    parameters: Mapping[str, Parameter]
    state: Literal["complete", "pruned", "failed"]
    losses: tuple[float, ...]
    units: tuple[int, ...]
    seconds: float
    reason: str = ""

    @property
    def means(self) -> Means:
        """The mean loss of a unit over the first fold, over the first two, and so on."""
        return _means(self.losses, self.units)

    @property
    def loss(self) -> float | None:
        """The mean loss of a unit over all folds; None where some were not fitted."""
        return self.means[-1] if self.state == "complete" else None

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """A trial from what `core.plain` made of it."""
        return cls(**{**facts, "losses": tuple(facts["losses"]), "units": tuple(facts["units"])})


def evaluate(
    rows: pl.DataFrame,
    spec: Spec,
    name: str,
    proposal: Proposal,
    stop: Callable[[Means, Sequence[Means]], bool],
) -> Trial:
    """Fit the family of this name on each fold of the rows, and judge it by what comes after.

    `rows` have `label` and `known_at`, in order of event time. A fit is stopped and calibrated on
    the newest of its own rows, as it would be in earnest, so that what is judged is what would
    serve. The trial ends early when `stop` says so of its means and those of its peers.
    """
    started = time.monotonic()
    count = (spec.training.tuning or Tuning()).folds
    losses: list[float] = []
    units: list[int] = []

    def ended(state: Literal["complete", "pruned", "failed"], reason: str = "") -> Trial:
        seconds = time.monotonic() - started
        return Trial(
            proposal.number, proposal.parameters, state, tuple(losses), tuple(units), seconds, reason
        )

    for fold, (seen, unseen) in enumerate(folds(rows, spec, count), 1):
        try:
            loss, judged = _judged(seen, unseen, spec, name, proposal.parameters)
        except Exception as error:  # whatever a fit may raise with parameters that do not suit it
            told = str(error) if isinstance(error, PerennialError) else f"{type(error).__name__}: {error}"
            return ended("failed", f"fold {fold} of {count}: {told}")
        losses.append(loss)
        units.append(judged)
        if fold < count and stop(_means(losses, units), proposal.peers):
            return ended("pruned", f"worse than most after fold {fold} of {count}")
    return ended("complete")


def _judged(
    seen: pl.DataFrame, unseen: pl.DataFrame, spec: Spec, name: str, parameters: Mapping[str, Parameter]
) -> tuple[float, int]:
    """The mean loss of a fit on `seen` over the units of `unseen`, and how many those are."""
    rules = spec.training
    earlier, later = cut(seen, spec, 1 - rules.validation / (1 - rules.holdout))
    train, validation = (
        learnable("the train part", earlier, spec),
        learnable("the validation part", later, spec),
    )
    judged = learnable("the part to judge by", unseen, spec)
    given = Given({name: {**rules.parameters.get(name, {}), **parameters}})
    fitted = calibrated(name, train, validation, spec, lambda step, losses: None, given)
    answers = fitted.answers(judged.frame)
    if fault := fitted.problem.fault(judged, answers):
        raise PerennialError(fault)
    losses = fitted.problem.losses(judged, answers)
    return float(losses.mean()), len(losses)


def _means(losses: Sequence[float], units: Sequence[int]) -> Means:
    sums = accumulate(loss * count for loss, count in zip(losses, units, strict=True))
    return tuple(total / count for total, count in zip(sums, accumulate(units), strict=True))
