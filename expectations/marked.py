"""YAML that remembers its lines, so that an error can name the file, the line and the right word."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Never

import yaml

from core.errors import SpecError

_SHORT = 12


class _Loader(yaml.SafeLoader):
    """What JSON knows and no more; `NO`, `2013-01-01`, `12:30` and `010` are text, unlike in YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - replaces the parent's table
    yaml_constructors = {  # noqa: RUF012
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("bool", "float", "int", "map", "null", "seq", "str")
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


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
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), _Loader)
        if node is None:
            raise SpecError(f"{path}:1: the file is empty")
        return _marked(path, node, node.start_mark.line + 1)
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: no valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: no valid YAML: {error}") from None


def nearest(word: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of a short list.

    >>> nearest("critcal", ("critical", "warning", "info"))
    "; did you mean 'critical'?"
    """
    matches = get_close_matches(str(word), list(known), n=1)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; it can be {', '.join(known)}" if 0 < len(known) <= _SHORT else ""


def _marked(path: Path, node: yaml.Node, line: int) -> Marked:
    return Marked(path, line, node, _Loader("").construct_object(node, deep=True))
