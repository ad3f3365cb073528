"""Values: what each policy was worth, in the spec's costs or in the loss, and which one to use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.replaying import ReplayCosts
from models.measures.paired import Interval
from replay.alarms import Alarms
from replay.days import Days
from replay.lived import Lived
from replay.policies import NEVER, PRESENT

Floats = NDArray[np.float64]
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Worth:
    """What policies were worth beyond never retraining, by name.

    `drawn` [1 + draws] is each one's worth as it was, and in draws of whole days; `hours` what it trained,
    which is paid for in `drawn` already, as its false alarms are.
    """

    days: Days
    drawn: Mapping[str, Floats]
    hours: Mapping[str, float]
    costs: ReplayCosts

    def of(self, policy: str) -> Interval:
        """The worth of a policy, and its interval."""
        return self.days.total(self.drawn[policy])

    def beyond(self, policy: str, other: str) -> Interval:
        """How much more one policy was worth than another."""
        return self.days.total(self.drawn[policy] - self.drawn[other])

    def best(self, among: Sequence[str]) -> str:
        """The policy that was worth most; of equals the one that trained least, then the spec's own."""
        return max(among, key=lambda name: (self.drawn[name][0], -self.hours[name], name == PRESENT))

    def sure(self, policy: str, among: Sequence[str]) -> float:
        """In which share of the draws a policy is worth no less than any of these."""
        others = np.vstack([self.drawn[name][1:] for name in among])
        return float((self.drawn[policy][1:] >= others.max(axis=0)).mean())

    def break_even(self, best: str, among: Sequence[str]) -> dict[str, float]:
        """At which price of a training hour other policies are worth as much as the best, by name.

        Only those that are next to take its place: one at a higher price, one at a lower.
        """
        found: dict[str, float] = {}
        for name in among:
            hours = self.hours[best] - self.hours[name]
            if name != best and hours:
                more = float(self.drawn[best][0] - self.drawn[name][0])
                found[name] = self.costs.training_hour + more / hours
        # Of several at one price the one that trains least.
        found = dict(sorted(found.items(), key=lambda each: (self.hours[each[0]], each[0] != NEVER)))
        above = {name: price for name, price in found.items() if price > self.costs.training_hour}
        below = {name: price for name, price in found.items() if 0 <= price < self.costs.training_hour}
        nearest = ([min(above, key=above.__getitem__)] if above else []) + (
            [max(below, key=below.__getitem__)] if below else []
        )
        return {name: found[name] for name in nearest}


def worth(
    histories: Mapping[str, Lived],
    days: Days,
    alarms: Mapping[str, Alarms],
    costs: ReplayCosts,
    *,
    in_costs: bool,
) -> Worth:
    """What each history was worth: what it saved on its rows, less what its retrainings cost.

    Where the spec names no costs of an error (not `in_costs`), it is the loss saved by unit, and training
    is free.
    """
    sums = {name: days.sums(each.outcomes, cost=in_costs) for name, each in histories.items()}
    hours = {name: each.seconds / HOUR for name, each in histories.items()}
    vain = {name: alarms[name].count("false") if name in alarms else 0 for name in histories}
    paid = {
        name: costs.training_hour * hours[name] + costs.false_alarm * vain[name] if in_costs else 0.0
        for name in histories
    }
    scale = 1.0 if in_costs else float(days.units.sum())
    drawn = {name: days.totals(sums[NEVER] - each) / scale - paid[name] for name, each in sums.items()}
    return Worth(days, drawn, hours, costs)
