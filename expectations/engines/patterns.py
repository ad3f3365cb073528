"""Regular expressions: from what pandas makes of them to what Polars makes of them.

pandas matches text with RE2, where `\\d`, `\\w`, `\\s` and `\\b` know ASCII only; what RE2 has not (looking
around, references back) it gives to Python. Polars matches with Rust's regex, which is close to RE2.
"""

import re
from functools import cache

import polars as pl

from expectations.engines.values import NoForm

# What stands for itself in both, and the ASCII form of what does not.
_CLASSES = {
    r"\d": "[0-9]",
    r"\D": "[^0-9]",
    r"\w": "[0-9A-Za-z_]",
    r"\W": "[^0-9A-Za-z_]",
    r"\s": r"[\t\n\f\r ]",
    r"\S": r"[^\t\n\f\r ]",
    r"\b": r"(?-u:\b)",
}
_FLAGS = r"\(\?[ims]+\)"
_ESCAPE = r"\\[dDwWsSnrtf]|\\x[0-9a-fA-F]{2}|\\[!-/:-@\[-`{-~]"
_MEMBER = rf"{_ESCAPE}|[^\\\[\]\-]|-(?!-)"
_CLASS = rf"\[\^?(?:{_MEMBER})+\]"
_REPEAT = r"(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??(?![*+?{])"
_TOKEN = re.compile(
    rf"{_ESCAPE}|\\[bA]|{_CLASS}|\((?:\?:|\?P<[A-Za-z_]\w*>|(?!\?))|{_REPEAT}|[)|^$.]|[^\\\[\](){{}}*+?|^$.]",
    re.ASCII,
)
_IN_CLASS = re.compile(rf"{_MEMBER}|\^", re.ASCII)


@cache
def translated(pattern: str) -> str:
    """The pattern for Polars' `str.contains` that finds what pandas' finds; NoForm if there is none.

    >>> translated(r"^N\\d{1,5}[A-Z\\s]?$")
    '^N[0-9]{1,5}[A-Z[\\\\t\\\\n\\\\f\\\\r ]]?$'
    """
    flags = re.match(_FLAGS, pattern)
    place = flags.end() if flags else 0
    written = [pattern[:place]]
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            raise NoForm(f"{pattern!r}, from {pattern[place : place + 8]!r} on")
        written.append(_token(token[0]))
        place = token.end()
    said = "".join(written)
    try:
        pl.Series([""]).str.contains(said)
    except pl.exceptions.ComputeError as error:
        raise NoForm(f"{pattern!r}") from error
    return said


def _token(token: str) -> str:
    if not token.startswith("[") or len(token) == 1:
        return _escape(token)
    opened = 2 if token.startswith("[^") else 1
    return token[:opened] + _IN_CLASS.sub(lambda member: _member(member[0]), token[opened:-1]) + "]"


def _escape(token: str) -> str:
    if token in _CLASSES:
        return _CLASSES[token]
    # Rust has its own meaning for some escaped signs, such as \<.
    return rf"\x{ord(token[1]):02x}" if re.fullmatch(r"\\[!-/:-@\[-`{-~]", token) else token


def _member(member: str) -> str:
    # Rust works out sets, [a&&b] and [a~~b].
    return rf"\x{ord(member):02x}" if member in ("&", "~") else _escape(member)
