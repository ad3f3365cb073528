"""Feature rows as arrays: which columns a model takes, in which order, and what missing looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from core.spec import LocalTime, Spec, Trailing


@dataclass(frozen=True, slots=True)
class Columns:
    """The feature columns that a model takes, in order: the numbers, then the categories."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every column, numbers first.

        >>> Columns(("wind",), ("carrier", "route")).names
        ('wind', 'carrier', 'route')
        """
        return self.numbers + self.categories


@dataclass(frozen=True, slots=True)
class Rows:
    """Feature rows with their labels, in order of event time; `labels` is [n], 0 or 1."""

    frame: pl.DataFrame
    labels: NDArray[np.float32]
    times: pl.Series

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Self:
        """The rows of a frame that has `event_time` (in ascending order) and a Boolean `label`.

        `label` and `known_at` leave the frame: no model is to see them. PerennialError when a
        column is missing, a label is null, or the order is not that of event time.
        """
        require(frame, ("event_time", "label"))
        if frame["label"].null_count():
            raise PerennialError(f"{frame['label'].null_count()} of {frame.height} rows have a null label")
        if not frame["event_time"].is_sorted():
            raise PerennialError("the rows are not in ascending order of event_time: sort them first")
        labels = frame["label"].cast(pl.Float32).to_numpy()
        return cls(frame.drop("label", "known_at", strict=False), labels, frame["event_time"])


def columns(spec: Spec) -> Columns:
    """The columns that a project's models take: its features by kind, in the order of the spec.

    Parts of local time and trailing statistics are numbers; the other features say what they are.
    """
    kinds = {
        name: "number" if isinstance(feature, LocalTime | Trailing) else feature.kind
        for name, feature in spec.features.items()
    }
    return Columns(
        numbers=tuple(name for name, kind in kinds.items() if kind == "number"),
        categories=tuple(name for name, kind in kinds.items() if kind == "category"),
    )


def numbers(frame: pl.DataFrame, columns: Columns) -> NDArray[np.float32]:
    """The number features as float32 [n, len(columns.numbers)], missing as NaN.

    PerennialError names the columns that the frame lacks.

    >>> frame = pl.DataFrame({"wind": [4.0, None], "carrier": ["UA", "B6"]})
    >>> numbers(frame, Columns(("wind",), ("carrier",))).tolist()
    [[4.0], [nan]]
    """
    require(frame, columns.numbers)
    values = np.empty((frame.height, len(columns.numbers)), dtype=np.float32)
    for position, name in enumerate(columns.numbers):
        values[:, position] = frame[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
    return values


def categories(frame: pl.DataFrame, columns: Columns) -> list[pl.Series]:
    """The category features as String series in the order of `columns`, missing as "".

    PerennialError names the columns that the frame lacks.

    >>> frame = pl.DataFrame({"wind": [4.0, 2.0], "carrier": ["UA", None]})
    >>> [series.to_list() for series in categories(frame, Columns(("wind",), ("carrier",)))]
    [['UA', '']]
    """
    require(frame, columns.categories)
    return [frame[name].cast(pl.String).fill_null("") for name in columns.categories]


def require(frame: pl.DataFrame, names: Sequence[str]) -> None:
    """PerennialError unless the frame has every column of these names."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise PerennialError(f"the rows lack the columns {missing}; they have {frame.columns}")
