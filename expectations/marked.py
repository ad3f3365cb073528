"""The parts of a YAML document, each with its line: what a suite is read from."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import yaml

from core import documents
from core.errors import SpecError
from core.words import nearest


@dataclass(frozen=True, slots=True)
class Marked:
    """A value of a YAML file: plain Python in `value`, its own parts still marked in `node`."""

    path: Path
    line: int
    node: yaml.Node
    value: Any

    def fail(self, message: str) -> Never:
        """Raise SpecError about this place."""
        raise SpecError(f"{self.path}:{self.line}: {message}")

    def mapping(self, known: Collection[str], needed: Collection[str] = ()) -> dict[str, "Marked"]:
        """The parts by key; SpecError for a key twice, unknown (with the nearest known one) or missing."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{self.value!r} should be a mapping of {', '.join(known)}")
        parts: dict[str, Marked] = {}
        for key, value in self.node.value:
            part = _marked(self.path, value, key.start_mark.line + 1)
            if key.value in parts:
                part.fail(f"key {key.value!r} is there twice, first on line {parts[key.value].line}")
            if key.value not in known:
                part.fail(f"unknown key {key.value!r}{nearest(key.value, known)}")
            parts[key.value] = part
        for key in needed:
            if key not in parts:
                self.fail(f"key {key!r} is missing")
        return parts

    def items(self) -> Iterator["Marked"]:
        """The parts of a list, in order; SpecError if it is none."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{self.value!r} should be a list")
        return (_marked(self.path, item, item.start_mark.line + 1) for item in self.node.value)


def read(path: Path) -> Marked:
    """The YAML document at `path`; SpecError if there is none or it cannot be parsed."""
    document = documents.read(path)
    if repeated := document.repeated():
        raise SpecError(repeated[0])
    return _marked(path, document.node, document.node.start_mark.line + 1)


def _marked(path: Path, node: yaml.Node, line: int) -> Marked:
    try:
        return Marked(path, line, node, documents.Loader("").construct_object(node, deep=True))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark.line + 1 if error.problem_mark else line
        raise SpecError(f"{path}:{place}: is no valid YAML: {error.problem}") from None
