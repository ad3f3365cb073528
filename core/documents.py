"""YAML that remembers its lines, so that an error can name the file, the line and the key."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from core.errors import SpecError

Keys = tuple[int | str, ...]
Fault = tuple[Keys, str]  # what is wrong: under which keys, and in a sentence


class Loader(yaml.SafeLoader):
    """What JSON knows and no more; `NO`, `on`, `2013-01-01` and `010` are text, unlike in YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - replaces the parent's table
    yaml_constructors = {  # noqa: RUF012
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in ("bool", "float", "int", "map", "null", "seq", "str")
    }


for _kind, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_form})$"), list(_first))


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: what it says in plain Python, and the nodes that know where it says so."""

    path: Path
    value: Any
    node: yaml.Node

    def at(self, keys: Sequence[int | str], message: str) -> str:
        """A sentence about the value under `keys`, with the file and the line of the last that is there."""
        node, line = self.node, self.node.start_mark.line
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            node, line = found
        place = ".".join(map(str, keys))
        return f"{self.path}:{line + 1}: {place + ': ' if keys else ''}{message}"

    def repeated(self) -> list[str]:
        """A sentence about each key that a mapping has twice."""
        return [
            f"{self.path}:{key.start_mark.line + 1}: {key.value}: is there twice, first on line {first + 1}"
            for key, first in _repeated(self.node, set())
        ]


def told(faults: Iterable[Fault]) -> str:
    """What is wrong, each fault in a line with its keys, where no document is at hand to tell lines."""
    return "\n".join(f"{'.'.join(map(str, keys))}: {sentence}" for keys, sentence in faults)


def read(path: Path) -> Document:
    """The YAML document at `path`; SpecError if there is none or it cannot be parsed."""
    try:
        node = _composed(path.read_text(encoding="utf-8"))
        if node is None:
            raise SpecError(f"{path}:1: the file is empty")
        return Document(path, Loader("").construct_object(node, deep=True), node)  # refuses what holds itself
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"{path}:{line}: is no valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        why = str(error).splitlines()[0]
        raise SpecError(f"{path}: is no valid YAML: {why}") from None
    except RecursionError:
        raise SpecError(f"{path}: is nested too deep to be read") from None


def parsed(text: str, what: str) -> dict[str, Any]:
    """A mapping written as YAML, such as an option of a command, `what`; SpecError where it is none."""
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        found = loader.construct_object(node, deep=True) if node is not None else None
    except yaml.YAMLError as error:
        raise SpecError(f"{what}: is no valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise SpecError(f"{what}: should be a mapping, such as '{{gate: {{gain: 0.02}}}}', not {text!r}")
    return found


@lru_cache(maxsize=32)
def _composed(text: str) -> yaml.Node | None:
    """The nodes of a text, which many tasks of a process read again as it was; nobody changes them."""
    return Loader(text).get_single_node()


def _child(node: yaml.Node, key: int | str) -> tuple[yaml.Node, int] | None:
    """The part of a node under a key, and the line of the key, from 0; None if it has none such."""
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key].start_mark.line
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return value, name.start_mark.line
    return None


def _repeated(node: yaml.Node, seen: set[int]) -> Iterator[tuple[yaml.Node, int]]:
    """The keys that came before in their mapping, and the line on which; an alias is looked at once."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    first: dict[str, int] = {}
    for part in node.value:
        key, value = part if isinstance(node, yaml.MappingNode) else (None, part)
        if key is not None and key.value in first:
            yield key, first[key.value]
        elif key is not None and isinstance(key, yaml.ScalarNode):
            first[key.value] = key.start_mark.line
        yield from _repeated(value, seen)
