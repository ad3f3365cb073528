"""Values as JSON can hold them: for the registry, the gate's evidence, the tracker and the card."""

import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` with only dict, list, str, int, float, bool and None in it.

    Dataclasses become dicts, instants and dates ISO texts, durations seconds; a number that is not finite
    becomes None, as JSON (and PostgreSQL) has no word for it. TypeError for anything else.

    >>> plain({"auc": float("nan"), "day": date(2013, 4, 1), "interval": (np.float32(0.5), 1)})
    {'auc': None, 'day': '2013-04-01', 'interval': [0.5, 1]}
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return str(value)
    return _plain_parts(value)


def _plain_parts(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, Set):
        return sorted(plain(part) for part in value)
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    kind = type(value).__name__
    raise TypeError(f"{kind} {value!r} cannot be kept as JSON: hand over numbers, texts, lists or dicts")
