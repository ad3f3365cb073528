"""Values of any kind as a page can show them: clean, short, and told apart."""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from reports.pages import NOTHING

_PICTURES = 0x2400  # a picture of a control character lies so far above it
_DELETE, _SYMBOL_FOR_DELETE = 0x7F, "\N{SYMBOL FOR DELETE}"
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
_LARGE, _THOUSAND = 1e15, 1000
_APART = 10_000


def clean(value: Any) -> Any:
    """`value` with no text in it that a page cannot hold, or that would disorder it.

    Control characters are shown as their pictures, those that turn the direction of writing by
    their number, others that have no form as a replacement.

    >>> clean({"a": ["tab\\tnul\\0", "\\u202etxt.exe", 1]})
    {'a': ['tab␉nul␀', '[U+202E]txt.exe', 1]}
    """
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    if not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return "".join(character if character.isprintable() else _picture(character) for character in value)


def short(value: float | str | None) -> str:
    """A number in a few digits, an instant to the second; no zone where that is UTC.

    Thousands are apart from 10,000 on: what is smaller may be a year.

    >>> short(-3), short(0.12345678), short(1234567.0), short(4.6e18)
    ('-3', '0.1235', '1,234,567', '4.6e+18')
    >>> short("2013-01-01T05:00:00+00:00")
    '2013-01-01 05:00:00'
    """
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value.removesuffix("+00:00").replace("T", " ")[:19]
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < _LARGE:
        return f"{value:,.0f}" if abs(value) >= _APART else f"{value:.0f}"
    return f"{value:.4g}" if abs(value) >= _LARGE or abs(value) < _THOUSAND else f"{value:,.1f}"


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_PICTURES + code)
    if code == _DELETE:
        return _SYMBOL_FOR_DELETE
    # Spaces and what joins or marks letters have a place in a text of any script.
    kind = unicodedata.category(character)
    if unicodedata.bidirectional(character) in _TURNING:
        return f"[U+{code:04X}]"
    return character if kind in ("Zs", "Cf", "Co") else "\N{REPLACEMENT CHARACTER}"
