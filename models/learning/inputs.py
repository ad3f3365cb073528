"""What LightGBM takes: numbers, encoded categories, texts side by side; rows in the order of their lists."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from models.learning.encode import CategoryValues
from models.learning.grams import Grams
from models.learning.tokens import tokens
from models.rows import Columns, Floats, Rows, categories, numbers

LONGEST = 10_000  # rows: LightGBM ranks no longer list


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the booster takes: the numbers, then of each category one encoding, or one for each class.

    `native` ones are codes that LightGBM splits itself. Then comes what `grams` tell of each text.
    """

    columns: Columns
    encodings: tuple[CategoryValues, ...]
    native: bool
    grams: tuple[Grams, ...] = ()

    def of(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """The rows of a feature frame, float32 [n, numbers + encodings + the widths of the grams]."""
        named = {series.name: series for series in categories(frame, self.columns)}
        encoded = [encoding.apply(named[encoding.column]) for encoding in self.encodings]
        read = zip(self.grams, tokens(frame, self.columns), strict=True)
        told = [grams.inputs(each) for grams, each in read]
        return np.column_stack([numbers(frame, self.columns), *encoded, *told])

    @property
    def features(self) -> NDArray[np.int64]:
        """The position among the features of what each input is made of."""
        names = [*self.columns.numbers, *(encoding.column for encoding in self.encodings)]
        names += [grams.column for grams in self.grams for _ in range(grams.width)]
        return np.array([self.columns.names.index(column) for column in names], np.int64)

    @property
    def categorical(self) -> list[int]:
        """The inputs that LightGBM splits as categories."""
        count = len(self.columns.numbers)
        return list(range(count, count + len(self.encodings))) if self.native else []


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as LightGBM takes them: inputs float32 [n, F], what is to be learnt [n], and the rows themselves.

    Of a ranking the rows are in the order of their lists.
    """

    inputs: NDArray[np.float32]
    labels: Floats
    rows: Rows

    @classmethod
    def of(cls, inputs: NDArray[np.float32], labels: Floats, rows: Rows) -> "Table":
        """The table of these rows; PerennialError when a list is too long for LightGBM."""
        if rows.groups is None:
            return cls(inputs, labels, rows)
        longest = int(np.unique(rows.groups, return_counts=True)[1].max())
        if longest > LONGEST:
            raise PerennialError(
                f"a list has {longest} rows, and LightGBM ranks at most {LONGEST}: "
                "let outcome.group tell more of them apart, or leave lightgbm out of training.families"
            )
        order = np.argsort(rows.groups, kind="stable")
        return cls(inputs[order], labels[order], rows.at(order))

    def data(self, start: Floats | None, **more: Any) -> dict[str, Any]:
        """What a Dataset is made of; `start` are the margins [K] that every row begins with."""
        groups = self.rows.groups
        sizes = None if groups is None else np.unique(groups, return_counts=True)[1]
        margins = None if start is None else np.tile(start, (len(self.rows), 1)).squeeze()
        return {
            "label": self.labels,
            "weight": self.rows.weights,
            "group": sizes,
            "init_score": margins,
        } | more
