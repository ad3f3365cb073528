"""What is computed of the event's own row: expressions on one row, and the values as models get them."""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from core.errors import SpecError
from core.spec import FeatureKind
from features.columns import finished
from features.online.values import TEXTS, as_held, held

Final = float | str | None
_SINGLE = struct.Struct("<f")
_EXACT = 1 << 53  # whole numbers up to this are floats


class OneRow:
    """Expressions over columns of these dtypes, compiled once, computed for a row at a time.

    Values go in and come out as the store holds them.
    """

    def __init__(self, dtypes: Mapping[str, pl.DataType], expressions: Mapping[str, pl.Expr]) -> None:
        self.dtypes = pl.DataFrame(schema=dtypes).select(expressions.values()).schema
        self._names = list(expressions)
        self._expressions = list(expressions.values())
        forms = {name: held(dtype, f"column {name!r}") for name, dtype in dtypes.items()}
        self._schema = [
            (name, forms[name], None if dtype == forms[name] else dtype) for name, dtype in dtypes.items()
        ]
        for name, dtype in self.dtypes.items():
            held(dtype, f"feature {name}")
        self._times = [name for name, dtype in self.dtypes.items() if dtype.is_temporal()]

    @property
    def reads(self) -> Sequence[str]:
        """The columns, in the order in which `compute` takes their values."""
        return [name for name, _, _ in self._schema]

    def compute(self, values: Sequence[Any]) -> dict[str, Any]:
        """By name, what the expressions are of the row; SpecError when one cannot be computed."""
        if not self._expressions:
            return {}
        try:
            frame = pl.DataFrame(
                [
                    column if dtype is None else column.cast(dtype)
                    for (name, form, dtype), value in zip(self._schema, values, strict=True)
                    for column in [pl.Series(name, [value], form)]
                ]
            ).select(self._expressions)
        except pl.exceptions.PolarsError as error:
            names = ", ".join(self._names)
            raise SpecError(f"features of one row ({names}): {str(error).splitlines()[0]}") from error
        row = frame.row(0, named=True)
        return row | {name: as_held(frame[name], name)[0] for name in self._times}


def finisher(name: str, kind: FeatureKind, dtype: pl.DataType) -> Callable[[Any], Final]:
    """What makes of a value, as the store holds it, what `features.columns.finished` makes of it.

    Raises SpecError when a column of this dtype cannot be of this kind.

    >>> finisher("x", "number", pl.Float64())(0.1), finisher("x", "category", pl.Boolean())(True)
    (0.10000000149011612, 'true')
    """
    expression = finished(name, kind, dtype)
    if kind == "number":
        return _number
    if dtype in TEXTS:
        return _as_it_is
    if dtype.is_integer():
        return _digits
    row = OneRow({name: dtype}, {name: expression})
    return lambda value: None if value is None else row.compute((value,))[name]


def _as_it_is(value: Any) -> Final:
    found: str | None = value
    return found


def _digits(value: Any) -> Final:
    return None if value is None else str(value)


def singles(values: Sequence[float]) -> Sequence[Final]:
    """The nearest 32-bit floats, of many at once; None where that is not finite.

    >>> singles([0.5, 0.1, 1e300])
    [0.5, 0.10000000149011612, None]
    """
    form = f"<{len(values)}f"
    try:
        found = struct.unpack(form, struct.pack(form, *values))
    except OverflowError:
        return [_number(value) for value in values]
    return found if math.isfinite(sum(found)) else [_number(value) for value in values]


def _number(value: Any) -> Final:
    """The nearest 32-bit float; None where that is not finite."""
    if value is None:
        return None
    if isinstance(value, int) and abs(value) > _EXACT:
        # Rounded once; by way of a 64-bit float it would be twice.
        return float(np.array(value, np.int64 if value < 1 << 63 else np.uint64).astype(np.float32))
    try:
        (found,) = _SINGLE.unpack(_SINGLE.pack(value))
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
