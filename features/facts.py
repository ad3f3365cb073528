"""The facts that features of the past are made of: when they became known, and their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import SpecError
from core.spec import Lag, Past, Trailing
from features.columns import DECISION, instant
from features.history import Entities, numbered
from features.sums import Floats, Parts, Whole

_KNOWN, _FACT = ":known", ":fact"


@dataclass(frozen=True)
class Values:
    """A column of events: which of them count, and what they are as arrays, each made when asked for."""

    column: pl.Series

    @cached_property
    def usable(self) -> NDArray[np.bool_] | None:
        """Whether each is known and, if it is a float, finite; None where all are."""
        if not self.column.dtype.is_float():
            return self.column.is_not_null().to_numpy() if self.column.null_count() else None
        usable = self.column.is_finite().fill_null(False)
        return None if usable.all() else usable.to_numpy()

    @cached_property
    def floats(self) -> Floats:
        """As floats; what does not count is 0."""
        floats = self.column.cast(pl.Float64).fill_null(0.0).to_numpy()
        return floats if self.usable is None else np.where(self.usable, floats, 0.0)

    @cached_property
    def parts(self) -> Parts:
        """As what sums of them are made of."""
        return Parts(self.floats)

    @cached_property
    def numbers(self) -> Entities:
        """As numbers, which equal values share."""
        return numbered(self.column)


class Facts:
    """Events as facts of which others' features are made: what several of those read is made once."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.table = table
        self._values: dict[str, Values] = {}

    def values(self, column: str) -> Values:
        """The column's values."""
        return self._values.setdefault(column, Values(self.table[column]))

    def decided(self, asked: pl.Series) -> tuple[Whole, Whole]:
        """The rows that are `asked` for and have a decision time, in its order, and it in microseconds."""
        when = self.table.select(DECISION).with_row_index(_FACT).filter(asked).drop_nulls().sort(DECISION)
        return when[_FACT].cast(pl.Int64).to_numpy(), when[DECISION].to_physical().to_numpy()

    def known(self, column: str, ties: Sequence[str]) -> tuple[Whole, Whole]:
        """The facts in the order in which they became known, and those instants in microseconds.

        Without those known by their own decision time; those of one instant in the order of `ties`.
        Raises SpecError when the column does not hold instants in UTC.
        """
        known = instant(column, self.table.schema, "features of the past").alias(_KNOWN)
        later = self.table.select(pl.arg_where(known > pl.col(DECISION)).alias(_FACT))
        when = self.table.select(known, *dict.fromkeys(ties))[later[_FACT]].hstack(later).sort(_KNOWN, *ties)
        return when[_FACT].cast(pl.Int64).to_numpy(), when[_KNOWN].to_physical().to_numpy()

    def check(self, name: str, feature: Past, label: str) -> None:
        """Raise SpecError when the feature's value is of a dtype that has no such statistic."""
        statistic = feature.statistic if isinstance(feature, Trailing) else feature.from_
        column = feature.value if isinstance(feature, Trailing | Lag) else label
        if column is None:
            return
        dtype = self.table[column].dtype
        if statistic in ("rate", "target_rate"):
            wanted, right = "a boolean", dtype == pl.Boolean
        elif statistic in ("mean", "sum", "quantile"):
            wanted, right = "a number or boolean", dtype.is_numeric() or dtype == pl.Boolean
        else:
            wanted, right = "one value", not dtype.is_nested()
        if not right:
            raise SpecError(f"feature {name}: {statistic} of {column!r}: the column is {dtype}, not {wanted}")
