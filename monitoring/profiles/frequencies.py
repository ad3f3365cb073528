"""Categories in bounded space: how often each frequent one is, and how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from datasketches import (
    frequent_items_error_type,
    frequent_strings_sketch,
    hll_sketch,
    hll_union,
    tgt_hll_type,
)

# Exact up to 3/4 of 2^13 values; with more, no count is off by more than 0.05 % of the rows.
_SIZE = 13
_PLACES = 12
# Two values that are alike for so long are one: what is kept of a category stays bounded.
LONGEST = 200


@dataclass(frozen=True, eq=False)
class Frequencies:
    """Two sketches of Apache DataSketches, in which no chance plays a part: the same values in the same
    order give the same bytes. Neither is changed once it is made.

    >>> carriers = Frequencies.merged([Frequencies.of({"UA": 2, "B6": 1}), Frequencies.of({"UA": 3})])
    >>> carriers.counts(), carriers.known, carriers.distinct, carriers.error
    ({'UA': 5, 'B6': 1}, 6, 2, 0)
    """

    frequent: frequent_strings_sketch
    different: hll_sketch

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """Those of values with their rows, in the order of the mapping."""
        frequent, different = frequent_strings_sketch(_SIZE), hll_sketch(_PLACES, tgt_hll_type.HLL_8)
        for value, rows in counts.items():
            frequent.update(value[:LONGEST], rows)
            different.update(value)
        return cls(frequent, different)

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """Those of all the rows behind the parts."""
        if len(parts) == 1:
            return parts[0]
        frequent, different = frequent_strings_sketch(_SIZE), hll_union(_PLACES)
        for part in parts:
            frequent.merge(part.frequent)
            different.update(part.different)
        return cls(frequent, different.get_result(tgt_hll_type.HLL_8))

    @property
    def known(self) -> int:
        """How many rows have a value."""
        return int(self.frequent.total_weight)

    @property
    def distinct(self) -> int:
        """About how many values there are: within 5 %, and exactly while all are counted."""
        counted = int(self.frequent.num_active_items)
        return counted if not self.error else max(counted, round(self.different.get_estimate()))

    @property
    def error(self) -> int:
        """By how many rows a count may be too large, and a value that is not counted too small."""
        # The sketch tells it of any value, one that it has never seen included.
        return int(self.frequent.get_upper_bound("") - self.frequent.get_lower_bound(""))

    def counts(self) -> dict[str, int]:
        """Rows by value, the most frequent first, ties in order of the value."""
        return self._counts

    @cached_property
    def _counts(self) -> dict[str, int]:
        found = self.frequent.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)
        return {value: int(rows) for value, rows, *_ in sorted(found, key=lambda one: (-one[1], one[0]))}

    def packed(self) -> tuple[bytes, bytes]:
        """Both as bytes, in the format of DataSketches."""
        return self.frequent.serialize(), self.different.serialize_compact()

    @classmethod
    def unpacked(cls, frequent: bytes, different: bytes) -> Self:
        """The sketches of such bytes."""
        return cls(frequent_strings_sketch.deserialize(frequent), hll_sketch.deserialize(different))
