"""A suite in the making: its entries with what was seen, and the text of the file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from expectations.verdict import Severity

_WIDE, _FOLD = 118, 96
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*( [*+-] [0-9.]+[smhdw]?)?")
_MEANT = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Entry:
    """An expectation as it is proposed; `seen` is what speaks for it."""

    type: str
    severity: Severity
    kwargs: Mapping[str, Any]
    seen: str
    allow_all_null: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """The entries about one thing, under a heading; perhaps with `notes` on what is not proposed."""

    heading: str
    entries: Sequence[Entry] = ()
    notes: Sequence[str] = field(default=())


def written(name: str, header: Sequence[str], sections: Sequence[Section]) -> str:
    """The suite as YAML: `header` as comments, then name, version 1 and the entries by section."""
    lines = [*_comments(header), f"name: {scalar(name)}", "version: 1", "expectations:"]
    for section in sections:
        lines += ["", *_comments([section.heading, *section.notes], "  ")]
        for entry in section.entries:
            lines += [*_comments([entry.seen], "  "), *_entry(entry)]
    return "\n".join(lines) + "\n"


def scalar(value: Any) -> str:
    """A value in YAML's flow style, read back as it is; texts are quoted wherever they must be.

    >>> scalar({"column": "größe", "value_set": ["AA", "NO", "true", "it's", 1.5]})
    "{column: 'größe', value_set: [AA, NO, 'true', 'it''s', 1.5]}"
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {scalar(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value not in _MEANT:
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return yaml.safe_dump(value, default_style='"', width=10**9).strip()


def shown(value: Any) -> str:
    """A value as a comment shows it, in one line."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return _line(str(value))[:60]


def _key(key: str) -> str:
    return key if key == "$PARAMETER" else scalar(key)


def _entry(entry: Entry) -> list[str]:
    parts = {"type": entry.type, "severity": entry.severity, "kwargs": entry.kwargs}
    meta = {"allow_all_null": True} if entry.allow_all_null else None
    line = f"  - {scalar({**parts, 'meta': meta} if meta else parts)}"
    if len(line) <= _WIDE:
        return [line]
    lines = [f"  - type: {entry.type}", f"    severity: {entry.severity}"]
    kwargs = f"    kwargs: {scalar(entry.kwargs)}"
    lines += [kwargs] if len(kwargs) <= _WIDE else ["    kwargs:", *_arguments(entry.kwargs)]
    return lines + ([f"    meta: {scalar(meta)}"] if meta else [])


def _arguments(kwargs: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in kwargs.items():
        text = f"      {key}: {scalar(value)}"
        if len(text) <= _WIDE or not isinstance(value, list):
            lines.append(text)
            continue
        lines.append(f"      {key}: [")
        row = ""
        for item in map(scalar, value):
            if row and len(row) + len(item) > _FOLD:
                lines.append(f"        {row.rstrip()}")
                row = ""
            row += f"{item}, "
        lines += [f"        {row.rstrip(', ')}", "      ]"]
    return lines


def _comments(sentences: Sequence[str], indent: str = "") -> list[str]:
    return [f"{indent}# {_line(sentence)}".rstrip() for sentence in sentences]


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
