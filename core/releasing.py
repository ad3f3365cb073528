"""What a spec may say of a release by steps: how traffic is handed over, and what sends it back."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from core.scalars import Duration, Model, Share, example


def _rising_to_all(steps: tuple[float, ...]) -> tuple[float, ...]:
    if fault := next(_faults_of(steps), None):
        raise ValueError(f"{', '.join(f'{step:g}' for step in steps) or 'no steps'}: {fault}")
    return steps


def _faults_of(steps: tuple[float, ...]) -> Iterator[str]:
    if not steps or steps[-1] != 1:
        yield "the last step should be 1, all traffic"
    if steps and steps[0] <= 0:
        yield "the first step should be above 0"
    for before, after in pairwise(steps):
        if after <= before:
            yield f"the steps should rise, but {after:g} comes after {before:g}"


class ReleaseRules(Model):
    """How a version takes over the traffic, step by step, and what counts as an alarm, which sends it back.

    At each step the canary is compared with the champion over the same stretch of time, and looked at again
    and again: all limits count as passed only where that is more than chance, at all looks together.
    """

    model_config = example({"steps": [0.05, 0.25, 1], "requests": 5000, "hold": "1h", "loss": 0.05})

    after_gate: Literal["at once", "by steps"] = "at once"
    """How a version that the gate lets through takes the champion's place: at once, or by the steps below
    where the project has been served online."""
    steps: Annotated[tuple[Share, ...], AfterValidator(_rising_to_all)] = (0.01, 0.1, 0.5, 1.0)
    """The shares of the traffic that the canary takes, one after the other; they rise, and end in 1."""
    requests: int = Field(default=1000, ge=100)
    """How many requests the canary must have had at a step before the next. Differences are seen best at
    about so many."""
    hold: Duration = timedelta(minutes=10)
    """How long a step lasts at the least."""
    errors: Share = 0.01
    """By how much the share of requests without an answer may be above the champion's."""
    slower: Share = 0.05
    """How many more of the canary's requests than of the champion's, as a share, may take longer than 99 of
    100 of the champion's."""
    prediction_shift: float = Field(default=0.2, gt=0)
    """How far the predictions may be from the champion's, as a population stability index beyond what
    so many requests reach by chance."""
    loss: float = Field(default=0.02, ge=0)
    """By how much the loss, realised or estimated, may be above the champion's, as a share of that."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """How surely a canary that is no worse goes through a step without an alarm. Each of the five watches
    has a fifth of the rest."""
