"""Which facts of an entity lie in a window: the entities' pasts laid out one after the other.

Facts are put in the order in which they became known, then, keeping it, entity by entity. What one
entity knew in `(decision - over, decision]` is then one stretch `[low, high)` of that layout, which
two binary searches find; facts that become known later move no boundary of an earlier one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import polars as pl

from features.sums import Whole

_DIGIT = 16
_MOST = 1 << 31
_LONGEST = 1 << 62  # a window of more microseconds than this reaches back for ever
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Entities:
    """The entity of each row, by number; `size` is that of the rows that have none."""

    numbers: Whole
    size: int


def entities(parts: Sequence[Entities], height: int) -> Entities:
    """The entities that have so many rows, from their parts; a row that lacks a part has none.

    Where there are no parts, all rows are of one entity.
    """
    if len(parts) == 1:
        return parts[0]
    found, size, none = np.zeros(height, np.int64), 1, np.zeros(height, bool)
    for part in parts:
        none |= part.numbers == part.size
        found, size = found * (part.size + 1) + part.numbers, size * (part.size + 1)
        if size > _MOST:
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
            size = int(found.max(initial=0)) + 1
    return Entities(np.where(none, size, found), size)


def numbered(column: pl.Series) -> Entities:
    """A number from 0 for each value, which equal ones share; null is none."""
    if column.dtype == pl.String:
        found = column.cast(pl.Categorical(pl.Categories.random())).to_physical()
    elif _is_narrow(column):
        whole = column.cast(pl.Int64)
        found = whole - whole.min()
    else:
        found = column.rank("dense") - 1
    highest = found.max()
    size = highest + 1 if isinstance(highest, int) else 0
    return Entities(found.cast(pl.Int64).fill_null(size).to_numpy(), size)


def _is_narrow(column: pl.Series) -> bool:
    """Whether the column's whole numbers serve as they are, from the least on."""
    if not column.dtype.is_integer() or column.dtype == pl.Int128:
        return False
    least, most = column.min(), column.max()
    return isinstance(least, int) and isinstance(most, int) and most < 1 << 62 and most - least < 1 << _DIGIT


def grouped(numbers: Whole, size: int) -> Whole:
    """The places of `numbers`, from 0 to `size`, in their order; equal ones keep theirs (a radix sort)."""
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT, size.bit_length(), _DIGIT):
        digit = (numbers[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
    return order


def by_entity(entity: Entities, rows: Whole) -> tuple[Whole, Whole]:
    """The entities of those of these rows that have one, in order, and where among the rows they are."""
    numbers = entity.numbers[rows]
    order = grouped(numbers, entity.size)
    ordered = numbers[order]
    some = np.searchsorted(ordered, entity.size)  # those without one come last
    return ordered[:some], order[:some]


class Clock:
    """When facts became known: `facts` are their places in the table, in that order, at `known`.

    `asked` are the places of the rows that ask, in order of their decision time `decided`. Instants
    are in microseconds.
    """

    def __init__(self, facts: Whole, known: Whole, asked: Whole, decided: Whole) -> None:
        self.facts, self.known, self.asked, self.decided = facts, known, asked, decided
        self._places: dict[timedelta | None, Whole] = {}

    def place(self, ago: timedelta | None) -> Whole:
        """How many facts had become known `ago` before each decision; with None, none had."""
        if ago not in self._places:
            self._places[ago] = self._place(_LONGEST if ago is None else ago // _MICROSECOND)
        return self._places[ago]

    def _place(self, span: int) -> Whole:
        if span >= _LONGEST:
            return np.zeros_like(self.asked)
        least = np.iinfo(np.int64).min
        when = np.where(self.decided < least + span, least, self.decided - span)
        return np.searchsorted(self.known, when, side="right")


class Layout:
    """The facts of a clock, entity by entity, and where in it the asked rows' windows lie.

    `facts` are their places in the table; `rows` the places of the rows that have an entity.
    """

    def __init__(self, clock: Clock, entity: Entities, asked: tuple[Whole, Whole]) -> None:
        """`entity` is that of each row of the table, `asked` the `by_entity` of the clock's asked rows."""
        self._clock = clock
        of_fact, places = by_entity(entity, clock.facts)
        self.facts, self._places = clock.facts[places], places
        self._step = len(clock.facts) + 1
        self._keys = of_fact * self._step + places
        # Searching in order of what is searched for is several times as fast.
        of_row, self._order = asked
        self._entities = of_row * self._step
        self.rows = clock.asked[self._order]

    @cached_property
    def known(self) -> Whole:
        """When each of `facts` became known."""
        return self._clock.known[self._places]

    @cached_property
    def decided(self) -> Whole:
        """The decision time of each of `rows`."""
        return self._clock.decided[self._order]

    def window(self, over: timedelta | None) -> tuple[Whole, Whole]:
        """For each of `rows` the stretch of `facts` that became known `over` before its decision."""
        return self._before(self._clock.place(over)), self._now

    @cached_property
    def _now(self) -> Whole:
        return self._before(self._clock.place(timedelta()))

    def _before(self, places: Whole) -> Whole:
        return np.searchsorted(self._keys, self._entities + places[self._order], side="left")
