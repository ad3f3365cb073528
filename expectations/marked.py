"""The parts of a YAML document, each with its line: what a suite is read from."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import yaml

from core import documents
from core.errors import Gathered, SpecError
from core.words import closest, nearest


@dataclass(frozen=True, slots=True)
class Marked:
    """A value of a YAML file: plain Python in `value`, its own parts still marked in `node`."""

    path: Path
    line: int
    node: yaml.Node
    value: Any

    def said(self, message: str) -> str:
        """A sentence about this place."""
        return f"{self.path}:{self.line}: {message}"

    def fail(self, message: str) -> Never:
        """Raise SpecError about this place."""
        raise SpecError(self.said(message))

    def mapping(self, known: Collection[str], needed: Collection[str] = ()) -> dict[str, "Marked"]:
        """The parts by key; SpecError with each key that is unknown (with the nearest known) or missing."""
        parts, wrong = self.parts(known, needed)
        Gathered(wrong).refuse()
        return parts

    def parts(
        self, known: Collection[str], needed: Collection[str] = ()
    ) -> tuple[dict[str, "Marked"], list[str]]:
        """The parts whose keys are known, and a sentence on each key that is not, or is missing."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{self.value!r} should be a mapping of {', '.join(known)}")
        parts: dict[str, Marked] = {}
        wrong: list[str] = []
        meant: list[str | None] = []
        for key, value in self.node.value:
            part = _marked(self.path, value, key.start_mark.line + 1)
            if key.value in known:
                parts[key.value] = part
            else:
                wrong.append(part.said(f"unknown key {key.value!r}{nearest(key.value, known)}"))
                meant.append(closest(key.value, known))
        missing = [key for key in needed if key not in parts and key not in meant]
        return parts, wrong + [self.said(f"key {key!r} is missing") for key in missing]

    def items(self) -> Iterator["Marked"]:
        """The parts of a list, in order; SpecError if it is none."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{self.value!r} should be a list")
        return (_marked(self.path, item, item.start_mark.line + 1) for item in self.node.value)


def read(path: Path) -> tuple[Marked, list[str]]:
    """The YAML document at `path`, and a sentence on each key that is there twice.

    SpecError if there is no such document or it cannot be parsed.
    """
    document = documents.read(path)
    return _marked(path, document.node, document.node.start_mark.line + 1), document.repeated()


def _marked(path: Path, node: yaml.Node, line: int) -> Marked:
    try:
        return Marked(path, line, node, documents.Loader("").construct_object(node, deep=True))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark.line + 1 if error.problem_mark else line
        raise SpecError(f"{path}:{place}: is no valid YAML: {error.problem}") from None
