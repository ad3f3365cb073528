"""Editing a spec by machine: some of its values are others, and every other line stays as it was written."""

import io
from collections.abc import Mapping
from typing import Any

import yaml
from ruamel.yaml import YAML

_LONG = 4_096  # no line is folded that was not


def edited(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of a spec with other values under keys of its sections; None takes a key out.

    Comments and layout stay. A section that is not there yet comes last.

    >>> print(edited("monitoring:\\n  every: 3  # a quarter\\n", {"monitoring": {"every": 1}}), end="")
    monitoring:
      every: 1  # a quarter
    """
    for section, values in changes.items():
        for key, value in values.items():
            text = _without(text, section, key) if value is None else _with(text, section, key, value)
    return text


def _with(text: str, section: str, key: str, value: Any) -> str:
    if (found := _section(text, section)) is None:
        return f"{text.rstrip()}\n\n{_dumped({section: {key: value}})}"
    before, part, after = found
    writer, written = _writer(), io.StringIO()
    document = writer.load(part)
    if document[section] is None:
        document[section] = {}
    if key in document[section] and document[section][key] == value:
        return text
    document[section][key] = value
    writer.dump(document, written)
    return f"{before}{written.getvalue()}{after}"


def _without(text: str, section: str, key: str) -> str:
    if (found := _section(text, section)) is None:
        return text
    before, part, after = found
    ((_, rules),) = _keys(part)
    if not isinstance(rules, yaml.MappingNode):
        return text
    for name, value in rules.value:
        if name.value != key:
            continue
        if len(rules.value) == 1:
            return f"{before.rstrip()}\n{after}" if not after else before + after.lstrip("\n")
        if rules.flow_style:
            return before + _flow_without(part, section, key) + after
        lines = part.splitlines(keepends=True)
        last = value.end_mark.line + (value.end_mark.column > 0)  # of a block it is where the next begins
        return f"{before}{''.join(lines[: name.start_mark.line] + lines[last:])}{after}"
    return text


def _flow_without(part: str, section: str, key: str) -> str:
    writer, written = _writer(), io.StringIO()
    document = writer.load(part)
    del document[section][key]
    writer.dump(document, written)
    return written.getvalue()


def _section(text: str, section: str) -> tuple[str, str, str] | None:
    """What comes before a section, its own lines, and what comes after; None where there is none.

    Blank lines and comments at its end belong to what follows.
    """
    lines = text.splitlines(keepends=True)
    firsts = [(key.value, key.start_mark.line) for key, _ in _keys(text)]
    ends = [line for _, line in firsts[1:]] + [len(lines)]
    for (name, first), end in zip(firsts, ends, strict=True):
        if name == section:
            ours = [place for place in range(first, end) if lines[place].strip() and lines[place][0] != "#"]
            last = ours[-1] + 1
            return "".join(lines[:first]), "".join(lines[first:last]), "".join(lines[last:])
    return None


def _keys(text: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    root = yaml.compose(text, yaml.SafeLoader)
    return list(root.value) if isinstance(root, yaml.MappingNode) else []


def _dumped(document: Mapping[str, Any]) -> str:
    written = io.StringIO()
    _writer().dump(document, written)
    return written.getvalue()


def _writer() -> YAML:
    writer = YAML()
    writer.preserve_quotes, writer.width = True, _LONG
    return writer
