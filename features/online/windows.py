"""What one request's features of other rows are, from the blocks that the store holds of its entities."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from core.errors import IntegrityError
from core.spec import Lag, Lookup, Past, TargetRate
from features.online.layout import MICROSECOND, Group
from features.online.packing import Array, Block, Column, joined, unpack
from features.statistics import lag, of_window, smoothed

_LEAST = int(np.iinfo(np.int64).min)


class Rows:
    """A group's rows of one entity, of the buckets asked for, in order of their instants, then ties."""

    def __init__(self, group: Group, buckets: Sequence[tuple[str, Sequence[bytes]]]) -> None:
        """`buckets` are, in order of time, the keys and what the parts hold under them."""
        self.group, self._key = group, buckets[-1][0]
        blocks: list[Block] = []
        for key, packed in buckets:
            found = [unpack(key, each) for each in packed]
            blocks += sorted(found, key=lambda block: block.order) if len(found) > 1 else found
        self._columns = joined(blocks) if blocks else []
        if group.known and any(len(packed) > 1 for _, packed in buckets):
            order = np.argsort(self._columns[0].values, kind="stable")
            self._columns = [column[order] for column in self._columns]

    @property
    def known(self) -> Array:
        """The instants, in microseconds."""
        return self._columns[0].values if self._columns else np.empty(0, np.int64)

    def column(self, name: str) -> Column:
        """The values of a column."""
        place = self.group.values.index(name) + (self.group.known is not None)
        return self._columns[place] if self._columns else Column(np.empty(0), None)

    def window(self, decision: int, over: timedelta | None) -> slice:
        """What became known in `(decision - over, decision]`; without `over`, all by the decision."""
        known = self.known
        high = int(known.searchsorted(decision, side="right"))
        if over is None:
            return slice(0, high)
        since = max(decision - over // MICROSECOND, _LEAST)
        return slice(int(known.searchsorted(since, side="right")), high)

    def newest(self, decision: int, within: timedelta | None) -> int | None:
        """The place of the one row or, of several instants, of the newest known and not too old.

        Raises IntegrityError where two rows could be the one.
        """
        if self.group.known is None:
            high = len(self._columns[0].values) if self._columns else 0
            twice = high > 1
        else:
            known, high = self.known, self.window(decision, None).stop
            if high and within is not None and int(known[high - 1]) < decision - within // MICROSECOND:
                return None
            twice = high > 1 and bool(known[high - 2] == known[high - 1])
        if twice:
            raise IntegrityError(
                f"the online store: two parts of {self.group.dataset} have a row of one key, {self._key!r}"
            )
        return high - 1 if high else None


def past_value(feature: Past, label: str, rows: Sequence[Rows], decision: int) -> Any:
    """The feature as of the decision, in microseconds; `rows` are those of the groups that it reads."""
    if isinstance(feature, TargetRate):
        (count, hits), (every, all_hits) = (
            _tally(each.column(label)[each.window(decision, feature.over)]) for each in (rows[0], rows[-1])
        )
        return smoothed(hits, count, all_hits, every, feature.weight)
    (own,) = rows
    if isinstance(feature, Lag):
        stretch = own.window(decision, feature.within)
        return lag(own.column(feature.value)[stretch].usable(), feature.back)
    stretch = own.window(decision, feature.over)
    known = Column(own.known[stretch], None)
    values = known if feature.value is None else own.column(feature.value)[stretch]
    if feature.statistic in ("count", "since_last"):
        return of_window(feature, (), Column(known.values, values.null).usable(), decision)
    return of_window(feature, values.usable(), (), decision)


def lookup_value(feature: Lookup, rows: Rows, decision: int) -> Any:
    """The value as of the decision; IntegrityError where two rows could be the one that has it."""
    place = rows.newest(decision, feature.within)
    if place is None:
        return None
    found = rows.column(feature.column)[place : place + 1].usable()
    return found[0] if found else None


def _tally(labels: Column) -> tuple[int, int]:
    """How many outcomes there are, and how many of them have the label."""
    usable = labels.values if labels.null is None else labels.values[~labels.null]
    return len(usable), int(np.count_nonzero(usable))
