"""All that was seen of the batches that a suite is proposed from, and sentences about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from core.batches import Batch
from core.spec import Dataset
from expectations.proposal.closer import Closer
from expectations.proposal.draft import shown
from expectations.proposal.profile import Column


@dataclass(frozen=True, slots=True)
class Seen:
    """The batches, in order of time, and what each holds.

    `spans` are their intervals, where they are known. `parts`: they are parts of one whole, in no
    order. `lists` are the values of other datasets' columns, by parameter name.
    """

    dataset: Dataset
    ids: tuple[str, ...]
    rows: tuple[int, ...]
    spans: tuple[Batch, ...] | None
    parts: bool
    schema: Mapping[str, pl.DataType]
    columns: Mapping[str, Sequence[Column]]
    lists: Mapping[str, pl.Series]
    closer: tuple[Closer, ...] = ()

    @property
    def batches(self) -> int:
        """How many there are, two at least."""
        return len(self.ids)

    def filled(self, column: str) -> list[Column]:
        """The column in those batches that hold a value of it."""
        return [each for each in self.columns[column] if each.least is not None]

    def named(self, column: str) -> list[str]:
        """The batches that hold a value of the column."""
        return [
            name for name, each in zip(self.ids, self.columns[column], strict=True) if each.least is not None
        ]

    def all_filled(self, column: str) -> bool:
        """Whether every batch holds a value of the column."""
        return len(self.filled(column)) == self.batches

    def sparse(self, column: str) -> bool:
        """Whether a batch may come without a value of it: it has nulls, and few values in some batch."""
        each = self.columns[column]
        return any(one.nulls for one in each) and min(one.held for one in each) < 10

    def complete(self, column: str) -> bool:
        """Whether no batch has a null in it."""
        return not any(each.nulls for each in self.columns[column])

    def repeats(self, column: str) -> bool:
        """Whether its values come twice and more, so that there are few to look at."""
        return all(2 * one.distinct <= one.held for one in self.columns[column])

    def serial(self, column: str) -> bool:
        """Whether nearly each row has its own value: a number by which rows are told apart."""
        each = self.columns[column]
        return all(one.held >= 50 and one.distinct > 0.8 * one.held for one in each)


def between(values: Sequence[Any]) -> str:
    """The values of the batches, as the one that all share or as the least and the greatest.

    >>> between([80, 80]), between([853, 1301, 911])
    ('80', '853 to 1,301')
    """
    low, high = min(values), max(values)
    return shown(low) if low == high else f"{shown(low)} to {shown(high)}"
