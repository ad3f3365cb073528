"""Markdown that shows any text as it is: no name of a column makes a table, a link or HTML of itself."""

import re
from collections.abc import Iterable, Sequence

from models.card.page import short
from reports.pages import NOTHING
from reports.shown import clean
from reports.wandb.story import Measured

LONGEST = 300
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def text(value: object) -> str:
    """A text in one line, with all that markdown would read as its own made harmless; cut when it is long.

    >>> text("a|b <i>_x_</i>")
    'a\\\\|b &lt;i&gt;\\\\_x\\\\_&lt;/i&gt;'
    """
    line = str(clean(" ".join(str(value).split())))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST - 1]}…"
    return re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], re.sub(r"([\\`*_\[\]|$~!#])", r"\\\1", line))


def number(found: Measured | float | None) -> str:
    """A number in about four digits, with its interval where it has one.

    >>> number(Measured(0.70312, 0.69, 0.714))
    '0.7031 (0.6900 to 0.7140)'
    """
    if not isinstance(found, Measured):
        return short(found)
    if found.low is None or found.high is None:
        return short(found.value)
    return f"{short(found.value)} ({short(found.low)} to {short(found.high)})"


def percent(value: float | None) -> str:
    """A share of 1 as a percentage.

    >>> percent(0.1324)
    '13.2%'
    """
    return NOTHING if value is None else f"{value:.1%}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markdown already.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bullets(sentences: Iterable[str]) -> str:
    """A list of sentences, each any text."""
    return "\n".join(f"- {text(sentence)}" for sentence in sentences)
