"""Tricks of spelling that readers see through: what people do to words that are looked for."""

import re
from collections.abc import Callable, Mapping

LEET = str.maketrans("aeiostAEIOST", "4310$74310$7")
# Letters of the Cyrillic alphabet that look like Latin ones (Unicode, confusables.txt).
ALIKE = str.maketrans(
    "aceopxyijsACEOPXYIJSBHKMT",
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455"
    "\u0410\u0421\u0415\u041e\u0420\u0425\u0423\u0406\u0408\u0405\u0412\u041d\u041a\u041c\u0422",
)


def leetspeak(text: str) -> str:
    """Digits and signs in the place of letters.

    >>> leetspeak("Stop it")
    '$70p 17'
    """
    return text.translate(LEET)


def homoglyphs(text: str) -> str:
    """Letters of another alphabet that look the same.

    >>> homoglyphs("ace") == "ace", len(homoglyphs("ace"))
    (False, 3)
    """
    return text.translate(ALIKE)


def spaced(text: str) -> str:
    """Blanks between the letters of each word.

    >>> spaced("stop it")
    's t o p   i t'
    """
    return " ".join(text)


def swapped(text: str) -> str:
    """Every second letter in the other case.

    >>> swapped("stop it")
    'sToP It'
    """
    return "".join(sign.swapcase() if place % 2 else sign for place, sign in enumerate(text))


def repeated(text: str) -> str:
    """Vowels three times.

    >>> repeated("stop it")
    'stooop iiit'
    """
    return re.sub("[aeiouAEIOU]", r"\g<0>" * 3, text)


TRICKS: Mapping[str, Callable[[str], str]] = {
    "leetspeak": leetspeak,
    "spaced": spaced,
    "homoglyphs": homoglyphs,
    "case": swapped,
    "repeated": repeated,
}
"""The tricks by name."""
