"""Suites: the versioned YAML files that say what a dataset must be like, read strictly."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.errors import SpecError
from core.words import nearest
from expectations import vocabulary
from expectations.marked import Marked, read
from expectations.verdict import Severity
from expectations.vocabulary import Kind, Word

_SUITE_KEYS = ("name", "version", "expectations", "meta")
_ENTRY_KEYS = ("type", "severity", "kwargs", "meta")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One entry of a suite.

    `kind` is what it speaks about: single "rows" (the failing ones are known), a "column" as a
    whole, or the "table". `columns` are those whose values it judges; `line` is where it stands.
    """

    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    kind: Kind
    columns: tuple[str, ...]
    line: int
    allow_all_null: bool = False

    @property
    def parameters(self) -> dict[str, str]:
        """The arguments that are given when the suite is run: argument -> name of the parameter."""
        return {key: value["$PARAMETER"] for key, value in self.kwargs.items() if _is_parameter(value)}


@dataclass(frozen=True, slots=True)
class Suite:
    """What one dataset must be like; `hash` is the SHA-256 of what the file says, not of how."""

    name: str
    version: int
    expectations: tuple[Expectation, ...]
    path: Path
    hash: str
    allow_empty: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values the suite judges, in order of their names."""
        return tuple(sorted({column for entry in self.expectations for column in entry.columns}))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that a run must be given, such as `airlines.carrier`."""
        return tuple(sorted({name for entry in self.expectations for name in entry.parameters.values()}))

    def where(self, entry: Expectation) -> str:
        """File and line of an entry, for messages."""
        return f"{self.path}:{entry.line}"


def load_suite(path: Path) -> Suite:
    """Read the suite at `path`; what Great Expectations would overlook is an error here.

    The file holds `name` (the file's own), `version` (from 1), `expectations` (each with `type`,
    `kwargs`, `severity`) and perhaps `meta: {allow_empty: true}`; an entry may have
    `meta: {allow_all_null: true}`. An argument `{$PARAMETER: airlines.carrier}` gets its value when
    the suite is run. Raises SpecError with file, line, key and the nearest right word.
    """
    top = read(path)
    keys = top.mapping(_SUITE_KEYS, needed=_SUITE_KEYS[:3])
    name, version = keys["name"].value, keys["version"].value
    if name != path.stem:
        keys["name"].fail(f"name {name!r} should be that of the file, {path.stem!r}")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        keys["version"].fail(f"version {version!r} should be a whole number from 1")
    entries = tuple(_entry(item) for item in keys["expectations"].items())
    if not entries:
        keys["expectations"].fail("the suite is empty and would let everything pass: give it an expectation")
    _refuse_duplicates(path, entries)
    content = json.dumps(top.value, sort_keys=True, ensure_ascii=False, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Suite(name, version, entries, path, digest, _flag(keys, "allow_empty"))


def _entry(item: Marked) -> Expectation:
    keys = item.mapping(_ENTRY_KEYS, needed=_ENTRY_KEYS[:3])
    name, severity = str(keys["type"].value), keys["severity"].value
    word = vocabulary.words().get(name)
    if word is None:
        keys["type"].fail(vocabulary.why_not(name))
    if severity not in get_args(Severity):
        keys["severity"].fail(f"unknown severity {severity!r}{nearest(severity, get_args(Severity))}")
    kwargs = _kwargs(keys["kwargs"], word)
    columns = () if word.kind == "table" else _columns(kwargs)
    all_null = _flag(keys, "allow_all_null")
    return Expectation(name, kwargs, severity, word.kind, columns, item.line, all_null)


def _kwargs(given: Marked, word: Word) -> dict[str, Any]:
    parts = given.mapping(word.arguments, needed=word.needed)
    kwargs = {key: part.value for key, part in parts.items()}
    for key, value in kwargs.items():
        if isinstance(value, dict) and "$PARAMETER" in value and not _is_parameter(value):
            parts[key].fail(f"{key} should hold nothing but $PARAMETER and its name")
    for key, reason in vocabulary.wrong_values(word.type, kwargs):
        parts.get(key, given).fail(f"{word.type}: {key + ': ' if key else ''}{reason}")
    return kwargs


def _is_parameter(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"$PARAMETER"} and isinstance(value["$PARAMETER"], str)


def _columns(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    if "column" in kwargs:
        return (kwargs["column"],)
    if "column_list" in kwargs:
        return tuple(kwargs["column_list"])
    return (kwargs["column_A"], kwargs["column_B"])


def _flag(keys: Mapping[str, Marked], name: str) -> bool:
    if "meta" not in keys:
        return False
    flag = keys["meta"].mapping((name,), needed=(name,))[name]
    if not isinstance(flag.value, bool):
        flag.fail(f"{name} should be true or false, not {flag.value!r}")
    return flag.value


def _refuse_duplicates(path: Path, entries: tuple[Expectation, ...]) -> None:
    seen: dict[str, int] = {}
    for entry in entries:
        said = f"{entry.type} {json.dumps(entry.kwargs, sort_keys=True, default=str)}"
        if said in seen:
            raise SpecError(f"{path}:{entry.line}: the same expectation is on line {seen[said]}: keep one")
        seen[said] = entry.line
