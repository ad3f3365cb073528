"""Saying what would be right: the nearest known word, or all of a few."""

from collections.abc import Collection
from difflib import get_close_matches

_FEW = 12


def nearest(word: object, known: Collection[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of a few.

    >>> nearest("critcal", ("critical", "warning", "info"))
    "; did you mean 'critical'?"
    >>> nearest("fatal", ("critical", "warning", "info"))
    "; there is 'critical', 'warning', 'info'"
    """
    matches = get_close_matches(str(word), list(known), n=1)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; there is {', '.join(map(repr, known))}" if 0 < len(known) <= _FEW else ""
