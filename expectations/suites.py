"""Suites: the versioned YAML files that say what a dataset must be like, read strictly."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from core.errors import SpecError
from core.projects import Function
from core.words import nearest
from expectations import custom, parameters, vocabulary
from expectations.entries import Expectation, is_parameter
from expectations.marked import Marked, read
from expectations.verdict import Severity
from expectations.vocabulary import Word

_SUITE_KEYS = ("name", "version", "expectations", "meta")
_ENTRY_KEYS = ("type", "severity", "kwargs", "meta")


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
        said = {text for entry in self.expectations for text in entry.parameters.values()}
        return tuple(sorted({parameters.parse(text).name for text in said}))

    @property
    def custom(self) -> bool:
        """Whether functions of the project judge too: then the verdict depends on their code."""
        return any(entry.function is not None for entry in self.expectations)

    def where(self, entry: Expectation) -> str:
        """File and line of an entry, for messages."""
        return f"{self.path}:{entry.line}"


def load_suite(path: Path, functions: Mapping[str, Function] = MappingProxyType({})) -> Suite:
    """Read the suite at `path`; what Great Expectations would overlook is an error here.

    The file holds `name` (the file's own), `version` (from 1), `expectations` (each with `type`,
    `kwargs`, `severity`) and perhaps `meta: {allow_empty: true}`; an entry may have
    `meta: {allow_all_null: true}`. An argument `{$PARAMETER: batch.end - 2h}` gets its value when
    the suite is run (see `expectations.parameters`). A type may also be one of the project's
    `functions` whose name begins with `expect_` (see `expectations.custom`). Raises SpecError with
    file, line, key and the nearest right word.
    """
    top = read(path)
    keys = top.mapping(_SUITE_KEYS, needed=_SUITE_KEYS[:3])
    name, version = keys["name"].value, keys["version"].value
    if name != path.stem:
        keys["name"].fail(f"name {name!r} should be that of the file, {path.stem!r}")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        keys["version"].fail(f"version {version!r} should be a whole number from 1")
    own = {called: function for called, function in functions.items() if called.startswith(custom.PREFIX)}
    entries = tuple(_entry(item, own) for item in keys["expectations"].items())
    if not entries:
        keys["expectations"].fail("the suite is empty and would let everything pass: give it an expectation")
    _refuse_duplicates(path, entries)
    content = json.dumps(top.value, sort_keys=True, ensure_ascii=False, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Suite(name, version, entries, path, digest, _flag(keys, "allow_empty"))


def _entry(item: Marked, own: Mapping[str, Function]) -> Expectation:
    keys = item.mapping(_ENTRY_KEYS, needed=_ENTRY_KEYS[:3])
    name, severity = str(keys["type"].value), keys["severity"].value
    word = _word(keys["type"], name, own)
    if severity not in get_args(Severity):
        keys["severity"].fail(f"unknown severity {severity!r}{nearest(severity, get_args(Severity))}")
    kwargs = _kwargs(keys["kwargs"], word, own.get(name))
    columns = () if word.kind == "table" else _columns(item, name, kwargs, own.get(name))
    all_null = _flag(keys, "allow_all_null")
    return Expectation(name, kwargs, severity, word.kind, columns, item.line, all_null, own.get(name))


def _word(place: Marked, name: str, own: Mapping[str, Function]) -> Word:
    known = vocabulary.words().get(name)
    if name in own and known is not None:
        place.fail(f"{name!r} is Great Expectations' own: give the project's function another name")
    if name in own:
        return custom.word(name, own[name])
    if known is None:
        place.fail(vocabulary.why_not(name, own))
    return known


def _kwargs(given: Marked, word: Word, function: Function | None) -> dict[str, Any]:
    parts = given.mapping(word.arguments, needed=word.needed)
    kwargs = {key: part.value for key, part in parts.items()}
    for key, value in kwargs.items():
        if reason := _misplaced(value) or (_unfit(key, value) if function is None else None):
            parts[key].fail(f"{key}: {reason}")
    for key, reason in (
        custom.wrong_values(kwargs) if function else vocabulary.wrong_values(word.type, kwargs)
    ):
        parts.get(key, given).fail(f"{word.type}: {key + ': ' if key else ''}{reason}")
    return kwargs


def _unfit(key: str, value: Any) -> str | None:
    """Why an argument of Great Expectations' own types cannot be this mapping; None if it can be."""
    if not is_parameter(value):
        return f"{value!r} should be a list" if key == "value_set" and isinstance(value, dict) else None
    right = {"value_set": "list", "partition_object": "distribution"}.get(key)
    parsed = parameters.parse(value["$PARAMETER"])
    if parsed.sort == right or (right is None and parsed.sort in ("instant", "number")):
        return None
    article = "an" if parsed.sort == "instant" else "a"
    return f"{parsed.name!r} is {article} {parsed.sort} here{nearest(parsed.name, parameters.NAMES)}"


def _misplaced(value: Any, inside: bool = False) -> str | None:
    """What is wrong with the parameters in an argument; None if nothing is."""
    if isinstance(value, dict) and "$PARAMETER" in value:
        if not is_parameter(value):
            return "should hold nothing but $PARAMETER and its name"
        if inside:
            return "a parameter stands for a whole argument, not for a part of one"
        try:
            parameters.parse(value["$PARAMETER"])
        except ValueError as error:
            return str(error)
    for key in value if isinstance(value, dict) else ():
        if str(key).startswith("$") and key != "$PARAMETER":
            return f"unknown key {key!r}{nearest(key, ['$PARAMETER'])}"
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, (_misplaced(part, inside=True) for part in parts)), None)


def _columns(
    item: Marked, name: str, kwargs: Mapping[str, Any], function: Function | None
) -> tuple[str, ...]:
    if function is not None:
        try:
            return custom.columns(name, function, kwargs)
        except SpecError as error:
            item.fail(str(error))
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
