"""What each of many entities had, and when it became known: the past that a query is made of."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pasts:
    """Facts entity by entity, each in the order in which they became known.

    `items` [facts] are what was had, `keys` [facts] rise with entity and instant, `known` are the
    instants that there are, in order.
    """

    items: Whole
    keys: Whole
    known: Whole

    @classmethod
    def of(cls, entities: Whole, known: Whole, items: Whole) -> Self:
        """The pasts of facts [n] that are in the order in which they became known."""
        instants = np.unique(known)
        keys = entities * (len(instants) + 1) + np.searchsorted(instants, known)
        order = np.argsort(keys, kind="stable")
        return cls(items[order], keys[order], instants)

    def until(self, entities: Whole, decided: Whole) -> tuple[Whole, Whole]:
        """For each asker [m] the stretch `[low, high)` of facts that were known at its instant.

        >>> past = Pasts.of(np.array([7, 8, 7]), np.array([10, 10, 20]), np.array([1, 2, 3]))
        >>> low, high = past.until(np.array([7, 7, 9]), np.array([19, 20, 20]))
        >>> [past.items[slice(*each)].tolist() for each in zip(low, high)]
        [[1], [1, 3], []]
        """
        step = len(self.known) + 1
        places = np.searchsorted(self.known, decided, side="right")
        low = np.searchsorted(self.keys, entities * step)
        return low, np.searchsorted(self.keys, entities * step + places)

    def last(self, low: Whole, high: Whole, count: int, none: int) -> Whole:
        """The last `count` items of each stretch, the newest last [m, count]; `none` in front of fewer."""
        places = high[:, None] + np.arange(-count, 0)
        items = np.append(self.items, none)
        return items[np.where(places >= low[:, None], places, len(self.items))]
