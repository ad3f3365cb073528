"""Whole rows: one that holds all features by name is read in one go, by a structure made of the spec."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import msgspec
import numpy as np
import polars as pl

from core.spec import Feature, RowFeature, Spec
from features.online.rows import singles
from serving.request.fields import Row

EXACT = 2**53  # whole numbers up to this are floats
_NOTHING: Mapping[str, Any] = {}


class WholeRows:
    """Reads a row of JSON that has every feature and no other field, without a look at each field.

    What it does not read, such as a row with a fault, is for `Fields`, which has words for it; what it reads
    is what that would have read.
    """

    def __init__(self, spec: Spec, events: pl.Schema, kinds: Mapping[str, Any]) -> None:
        """`kinds` are the types of the features by name, numbers first."""
        fields = [(f"field_{place}", kind) for place, kind in enumerate(kinds.values())]
        named = dict(zip((field for field, _ in fields), kinds, strict=True))
        made = msgspec.defstruct("Row", fields, rename=named, forbid_unknown_fields=True, gc=False)
        self._decoder = msgspec.json.Decoder(made)
        self._names, numbers = tuple(kinds), [spec.features[name].kind == "number" for name in kinds]
        self._count = sum(numbers)
        self._held = [name for name in kinds if name in events]
        self._required = [place for place, name in enumerate(kinds) if name in spec.serving.required]
        self._lacks = not set(spec.serving.required) <= set(kinds)
        self._whole = [
            (place, *_limits(events[name]))
            for place, name in enumerate(kinds)
            if name in events and events[name].is_integer()
        ]

    @classmethod
    def of(cls, spec: Spec, events: pl.Schema) -> Self | None:
        """None where a feature is not read as it is called, or has a kind that JSON has no word for."""
        kinds = {name: _kind(name, feature, events) for name, feature in spec.features.items()}
        if None in kinds.values():
            return None
        numbers_first = sorted(kinds, key=lambda name: spec.features[name].kind != "number")
        return cls(spec, events, {name: kinds[name] for name in numbers_first})

    def read(self, body: bytes, now: datetime) -> Row | None:
        """The row of a request that came at an instant; None where the body is another."""
        if self._lacks:
            return None
        try:
            values = list(msgspec.structs.astuple(self._decoder.decode(body)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if any(values[place] is None for place in self._required):
            return None
        for place, least, most in self._whole:
            value = values[place]
            if value is not None:
                if not least <= value <= most or value != int(value):
                    return None
                values[place] = int(value)
        rounded = singles([0.0 if value is None else value for value in values[: self._count]])
        given = dict(zip(self._names, (*rounded, *values[self._count :]), strict=True))
        if None in values:
            given |= {name: None for name, value in zip(self._names, values, strict=True) if value is None}
        sent = dict(zip(self._names, values, strict=True))
        return Row(_NOTHING, {name: sent[name] for name in self._held}, given, now)


def _kind(name: str, feature: Feature, events: pl.Schema) -> Any:
    """The type by which JSON is read for a feature; None where there is none."""
    if name not in events:
        return float | None if feature.kind == "number" else str | None
    dtype = events[name]
    if not isinstance(feature, RowFeature) or feature.column != name:
        return None
    if feature.kind != "number":
        return str | None if dtype == pl.String else None
    if dtype == pl.Float64:
        return float | None
    return int | float | None if dtype.is_integer() else None


def _limits(dtype: pl.DataType) -> tuple[int, int]:
    """The least and the greatest whole number of a column that a float can be."""
    limits = np.iinfo(str(dtype).lower())
    return max(int(limits.min), 1 - EXACT), min(int(limits.max), EXACT - 1)
