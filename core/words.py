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
    if match := closest(word, known):
        return f"; did you mean {match!r}?"
    return f"; there is {', '.join(map(repr, known))}" if 0 < len(known) <= _FEW else ""


def closest(word: object, known: Collection[str]) -> str | None:
    """The known word that an unknown one is likely to stand for; None where there is none so close."""
    return next(iter(get_close_matches(str(word), list(known), n=1)), None)
