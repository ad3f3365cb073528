"""The text of a YAML file with a comment on each choice, and the lines that a person has to look at."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from expectations.proposal.draft import scalar as quoted

WIDE = 108
_PLAIN = re.compile(
    r"(?:[.]{2}/|/)*[A-Za-z_][\w./-]*( [\w./-]+)*|[1-9]\d*(h|d|w|m|s|mo|y)|\d{4}-\d\d-\d\d", re.ASCII
)
_MEANT = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Comment:
    """Why the lines that follow are as they are."""

    text: str
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person has to decide about the line that follows."""

    text: str
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A decision at its line of the file, from 1."""

    line: int
    text: str


Part = str | Comment | Decision


def rendered(parts: Iterable[Part]) -> tuple[str, list[Found]]:
    """The text, and where each decision is.

    >>> rendered([Decision("Is it red?"), "colour: red"])
    ('# DECIDE: Is it red?\\ncolour: red\\n', [Found(line=2, text='Is it red?')])
    """
    lines: list[str] = []
    waiting: list[str] = []
    found: list[Found] = []
    for part in parts:
        if isinstance(part, str):
            found += [Found(len(lines) + 1, text) for text in waiting]
            waiting = []
            lines.append(part)
            continue
        text = _line(part.text)
        said = f"DECIDE: {text}" if isinstance(part, Decision) else text
        mark = " " * part.indent + "# "
        lines += textwrap.wrap(
            said, WIDE, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False
        )
        if isinstance(part, Decision):
            waiting.append(text)
    return "\n".join(lines) + "\n", found


def value(held: Any) -> str:
    """A value in YAML's flow style, as `core.documents` reads it back; plain where that is the same.

    >>> value({"every": "1mo", "column": "paid in", "classes": ["1", "yes?"], "over": 2})
    "{every: 1mo, column: paid in, classes: ['1', 'yes?'], over: 2}"
    """
    if isinstance(held, Mapping):
        return "{" + ", ".join(f"{value(key)}: {value(each)}" for key, each in held.items()) + "}"
    if isinstance(held, list | tuple):
        return "[" + ", ".join(map(value, held)) + "]"
    if isinstance(held, str) and _PLAIN.fullmatch(held) and held not in _MEANT:
        return held
    return quoted(held) if isinstance(held, str) else json.dumps(held)


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
