"""Reading a project's folder: its spec, and the functions that the spec names."""

import difflib
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.errors import SpecError
from core.settings import Settings
from core.spec import Derived, Lookup, Spec, Trailing

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Project:
    """A spec, the folder that it was read from, and the functions beside it with their `code`."""

    spec: Spec
    folder: Path
    functions: Mapping[str, Function]
    code: str

    @property
    def name(self) -> str:
        """The project's name, as its folder has it."""
        return self.spec.name


def names(settings: Settings) -> list[str]:
    """The projects that there are, in alphabetical order."""
    return sorted(path.parent.name for path in settings.projects.glob("*/project.yaml"))


def load(name: str, settings: Settings) -> Project:
    """Read `projects/<name>/project.yaml` and check that what it names exists.

    Raises SpecError that names the file, the line, the key and what would be right.
    """
    folder = settings.projects / name
    path = folder / "project.yaml"
    if not path.is_file():
        raise SpecError(f"no project {name!r}: {path} is missing{_nearest(name, names(settings))}")
    text = path.read_text(encoding="utf-8")
    spec = _parse(text, path)
    if spec.name != folder.name:
        raise SpecError(f"{path}: name: is {spec.name!r}, but the project's folder is {folder.name!r}")
    functions = _functions(folder / "functions.py")
    faults = list(_faults(spec, functions))
    if faults:
        raise SpecError("\n".join(f"{path}: {fault}" for fault in faults))
    code = folder / "functions.py"
    return Project(spec, folder, functions, code.read_text(encoding="utf-8") if code.is_file() else "")


def _parse(text: str, path: Path) -> Spec:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: is no YAML: {error}") from None
    if not isinstance(document, dict):
        raise SpecError(f"{path}: holds {type(document).__name__}, not keys and values")
    try:
        return Spec.model_validate(document)
    except ValidationError as error:
        lines = _Lines(text)
        raise SpecError("\n".join(_sentence(fault, path, lines) for fault in error.errors())) from None


class _Lines:
    """Finds the line on which a key of the YAML stands."""

    def __init__(self, text: str) -> None:
        self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def keys(self, location: tuple[int | str, ...]) -> tuple[list[str], int]:
        """The part of `location` that is written in the file, and its line, counted from 1."""
        node, line, path = self._root, 1, list[str]()
        for step in location:
            found = self._child(node, step)
            if found is None:
                continue
            node, line = found
            path.append(str(step))
        return path, line

    def _child(self, node: yaml.Node | None, step: int | str) -> tuple[yaml.Node, int] | None:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return node.value[step], node.value[step].start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    return value, key.start_mark.line + 1
        return None


def _sentence(fault: ErrorDetails, path: Path, lines: _Lines) -> str:
    keys, line = lines.keys(fault["loc"])
    last = str(fault["loc"][-1]) if fault["loc"] else ""
    if fault["type"] == "extra_forbidden":
        known = _known_keys(fault["loc"])
        return f"{path}:{line}: {'.'.join(keys)}: no such key{_nearest(last, known)}"
    if fault["type"] == "missing":
        return f"{path}:{line}: {'.'.join([*keys, last])}: is missing"
    given = fault["input"]
    shown = f" (here: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{path}:{line}: {'.'.join(keys)}: {fault['msg'].removeprefix('Value error, ')}{shown}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the spec's schema allows beside the last step of `location`."""
    schema = Spec.model_json_schema(by_alias=True)
    nodes = [schema]
    for step in location[:-1]:
        nodes = [child for node in nodes for child in _step(schema, node, step)] or nodes
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _step(schema: dict[str, Any], node: dict[str, Any], step: int | str) -> Iterator[dict[str, Any]]:
    inner = node.get("properties", {}).get(step) or node.get("additionalProperties") or node.get("items")
    if isinstance(inner, dict):
        yield from _resolve(schema, inner)


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        yield from _resolve(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
        return
    yield node
    for option in [*node.get("oneOf", []), *node.get("anyOf", [])]:
        yield from _resolve(schema, option)


def _functions(path: Path) -> dict[str, Function]:
    if not path.is_file():
        return {}
    module_spec = importlib.util.spec_from_file_location(f"projects.{path.parent.name}.functions", path)
    if module_spec is None or module_spec.loader is None:
        raise SpecError(f"{path}: cannot be read as Python")
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    members = inspect.getmembers(module, inspect.isfunction)
    return {name: member for name, member in members if member.__module__ == module.__name__}


def _faults(spec: Spec, functions: Mapping[str, Function]) -> Iterator[str]:
    """What the parts of a spec say of each other that is not so."""
    if spec.events not in spec.datasets:
        yield f"events: no dataset {spec.events!r}{_nearest(spec.events, spec.datasets)}"
        return
    if spec.datasets[spec.events].event_time is None:
        yield f"datasets.{spec.events}.event_time: is missing: the events need one to be cut into batches"
    for name, dataset in spec.datasets.items():
        if dataset.prepare and dataset.prepare not in functions:
            yield f"datasets.{name}.prepare: functions.py has no {dataset.prepare!r}{_nearest(dataset.prepare, functions)}"
        if dataset.prepare is None:
            used = [*dataset.key, *filter(None, [dataset.event_time, dataset.known_at])]
            for column in used:
                if column not in dataset.columns:
                    yield f"datasets.{name}: no column {column!r}{_nearest(column, dataset.columns)}"
    for name, feature in spec.features.items():
        if isinstance(feature, Lookup) and feature.dataset not in spec.datasets:
            yield f"features.{name}.dataset: no dataset {feature.dataset!r}{_nearest(feature.dataset, spec.datasets)}"
        if isinstance(feature, Derived) and feature.function not in functions:
            yield f"features.{name}.function: functions.py has no {feature.function!r}{_nearest(feature.function, functions)}"
        if isinstance(feature, Trailing) and not feature.by:
            yield f"features.{name}.by: names no column"


def _nearest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """What to write instead, as the end of an error sentence."""
    close = difflib.get_close_matches(word, list(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(repr(item) for item in sorted(known))}" if known else ""
