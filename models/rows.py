"""Feature rows as arrays: which columns a model takes, in which order, and what missing looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.errors import PerennialError
from core.spec import Outcome, Spec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """The feature columns that a model takes, in order: the numbers, the categories, the free texts."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    texts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every column, numbers first.

        >>> Columns(("wind",), ("carrier", "route"), ("remark",)).names
        ('wind', 'carrier', 'route', 'remark')
        """
        return self.numbers + self.categories + self.texts


@dataclass(frozen=True, slots=True)
class Rows:
    """Feature rows with their labels, in order of event time.

    `labels` [n] are 0 or 1 (binary), the position of the class (multiclass), or numbers. `groups`
    [n] tells the lists of a ranking apart. `weights` [n] say how much each row counts in a fit.
    """

    frame: pl.DataFrame
    labels: Floats
    times: pl.Series
    groups: NDArray[np.int64] | None = None
    weights: Floats | None = None

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def of(cls, frame: pl.DataFrame, outcome: Outcome | None = None) -> Self:
        """The rows of a frame that has `event_time` (in ascending order) and `label`.

        `outcome` names the classes and the columns of a group, where the problem has some. `label`
        and `known_at` leave the frame: no model is to see them. PerennialError when a column is
        missing, a label is null, infinite or of an unknown class, or the order is not that of event
        time.
        """
        classes, group = (outcome.classes, outcome.group) if outcome else ((), ())
        require(frame, ("event_time", "label", *group))
        if not frame["event_time"].is_sorted():
            raise PerennialError("the rows are not in ascending order of event_time: sort them first")
        labels = _labels(frame["label"], classes)
        groups = _groups(frame.select(group)) if group else None
        kept = frame.drop("label", "known_at", strict=False)
        return cls(kept, labels, frame["event_time"], groups)

    def at(self, places: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Rows":
        """Some of the rows, by position, mask or slice."""
        found = np.arange(len(self))[places]
        groups = None if self.groups is None else self.groups[found]
        weights = None if self.weights is None else self.weights[found]
        return Rows(self.frame[found], self.labels[found], self.times[found], groups, weights)


def _labels(label: pl.Series, classes: Sequence[str]) -> Floats:
    if missing := label.null_count():
        raise PerennialError(f"{missing} of {len(label)} rows have a null label")
    if classes:
        texts = label.cast(pl.String)
        strange = sorted(set(texts.unique()) - set(classes))
        if strange:
            raise PerennialError(
                f"labels {strange[:5]} are none of outcome.classes {list(classes)}: add them"
            )
        texts = texts.replace_strict(list(classes), range(len(classes)), return_dtype=pl.Float64)
        return texts.to_numpy()
    labels: Floats = label.cast(pl.Float64).to_numpy()
    if wrong := int((~np.isfinite(labels)).sum()):
        raise PerennialError(
            f"{wrong} of {len(label)} labels are not finite: mend them, or quarantine the rows"
        )
    return labels


def _groups(frame: pl.DataFrame) -> NDArray[np.int64]:
    """A number for each list [n], in order of appearance; missing parts are alike."""
    lists = frame.unique(maintain_order=True).with_row_index(":group")
    named = frame.join(lists, on=frame.columns, how="left", nulls_equal=True, maintain_order="left")
    return named[":group"].cast(pl.Int64).to_numpy()


def columns(spec: Spec) -> Columns:
    """The columns that a project's models take: its features by kind, in the order of the spec."""
    kinds = {name: feature.kind for name, feature in spec.features.items()}
    return Columns(
        numbers=tuple(name for name, kind in kinds.items() if kind == "number"),
        categories=tuple(name for name, kind in kinds.items() if kind == "category"),
        texts=tuple(name for name, kind in kinds.items() if kind == "text"),
    )


def numbers(frame: pl.DataFrame, columns: Columns) -> NDArray[np.float32]:
    """The number features as float32 [n, len(columns.numbers)], missing as NaN.

    An infinite number, or one too large for float32, is not missing but beyond all others: past every
    split of a tree, and as far out as `models.learning.encode.LIMIT` lets any number be. No fit sees one
    (`models.split.split` refuses it), but a row to be answered may hold one.

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


def texts(frame: pl.DataFrame, columns: Columns) -> list[pl.Series]:
    """The free texts as String series in the order of `columns`, missing as "".

    PerennialError names the columns that the frame lacks.
    """
    require(frame, columns.texts)
    return [frame[name].cast(pl.String).fill_null("") for name in columns.texts]


def require(frame: pl.DataFrame, names: Sequence[str]) -> None:
    """PerennialError unless the frame has every column of these names."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise PerennialError(f"the rows lack the columns {missing}; they have {frame.columns}")
