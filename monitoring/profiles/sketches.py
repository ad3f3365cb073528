"""A profile as bytes: sealed by a hash, so that what is damaged is named and never read."""

import hashlib
import json
from typing import Any

import numpy as np

from core.errors import IntegrityError
from monitoring.profiles.frequencies import Frequencies
from monitoring.profiles.quantiles import Quantiles

REVISION = 1
"""What the bytes mean: another one is read by none of its predecessors, and profiles are made anew."""

_MARK = b"profile%d" % REVISION
_HASH = 16
_LENGTH = 4


def sealed(facts: dict[str, Any], quantiles: Quantiles | None, frequencies: Frequencies | None) -> bytes:
    """The same for the same profile, in every process: a hash, the facts as JSON, and the sketches."""
    parts = [b""] * 4
    if quantiles is not None:
        parts[:2] = quantiles.values.astype("<f8").tobytes(), quantiles.rows.astype("<i8").tobytes()
    if frequencies is not None:
        parts[2:] = frequencies.packed()
    lengths = [len(part) for part in parts]
    kinds = [quantiles is not None, frequencies is not None]
    head = json.dumps([facts, kinds, lengths], sort_keys=True).encode()
    body = len(head).to_bytes(_LENGTH, "little") + head + b"".join(parts)
    return _MARK + hashlib.sha256(body).digest()[:_HASH] + body


def unsealed(sketch: bytes, where: str) -> tuple[dict[str, Any], Quantiles | None, Frequencies | None]:
    """What was sealed; IntegrityError, naming `where`, when these are not the bytes that were written."""
    seal, body = sketch[len(_MARK) : len(_MARK) + _HASH], sketch[len(_MARK) + _HASH :]
    if not sketch.startswith(_MARK) or hashlib.sha256(body).digest()[:_HASH] != seal:
        raise IntegrityError(f"{where}: the sketch is damaged: restore it from a copy, or clear the home")
    start = _LENGTH + int.from_bytes(body[:_LENGTH], "little")
    facts, (numbers, categories), lengths = json.loads(body[_LENGTH:start])
    parts = []
    for length in lengths:
        parts.append(body[start : start + length])
        start += length
    values, rows = np.frombuffer(parts[0], "<f8"), np.frombuffer(parts[1], "<i8")
    return (
        facts,
        Quantiles(values.astype(np.float64), rows.astype(np.int64)) if numbers else None,
        Frequencies.unpacked(parts[2], parts[3]) if categories else None,
    )
