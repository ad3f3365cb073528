"""Suites: the versioned YAML files that say what a dataset must be like, read strictly."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from core.errors import Gathered, SpecError
from core.projects import Function
from core.words import nearest
from expectations import custom, parameters, vocabulary
from expectations.arguments import arguments
from expectations.entries import Expectation
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
    everything that is wrong, each in a line with the file, the line, the key and the nearest right word.
    """
    top, repeated = read(path)
    found = Gathered(repeated)
    keys, wrong = top.parts(_SUITE_KEYS, needed=_SUITE_KEYS[:3])
    found.sentences += wrong
    entries: list[Expectation | None] = []
    own = {called: function for called, function in functions.items() if called.startswith(custom.PREFIX)}
    if "expectations" in keys:
        for item in found.attempt(keys["expectations"].items) or ():
            entries.append(found.attempt(partial(_entry, item, own)))
        found.attempt(partial(_not_empty, keys["expectations"]))
    found.attempt(partial(_named, keys, path))
    allow_empty = found.attempt(partial(_flag, keys, "allow_empty"))
    sound = tuple(entry for entry in entries if entry is not None)
    found.sentences += _duplicates(path, sound)
    found.refuse()
    content = json.dumps(top.value, sort_keys=True, ensure_ascii=False, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Suite(path.stem, keys["version"].value, sound, path, digest, bool(allow_empty))


def _named(keys: Mapping[str, Marked], path: Path) -> None:
    found = Gathered()
    if "name" in keys and (name := keys["name"].value) != path.stem:
        found.sentences.append(keys["name"].said(f"name {name!r} should be that of the file, {path.stem!r}"))
    if "version" in keys:
        version = keys["version"].value
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            wrong = f"version {version!r} should be a whole number from 1"
            found.sentences.append(keys["version"].said(wrong))
    found.refuse()


def _not_empty(entries: Marked) -> None:
    if not entries.value and isinstance(entries.value, list):
        entries.fail("the suite is empty and would let everything pass: give it an expectation")


def _entry(item: Marked, own: Mapping[str, Function]) -> Expectation:
    keys, wrong = item.parts(_ENTRY_KEYS, needed=_ENTRY_KEYS[:3])
    found = Gathered(wrong)
    function = own.get(str(keys["type"].value)) if "type" in keys else None
    word = found.attempt(lambda: _word(keys["type"], own)) if "type" in keys else None
    if "severity" in keys:
        found.attempt(lambda: _severity(keys["severity"]))
    all_null = found.attempt(lambda: _flag(keys, "allow_all_null"))
    kwargs: dict[str, Any] | None = {}
    if word is not None and "kwargs" in keys:
        kwargs = found.attempt(lambda: arguments(keys["kwargs"], word, function))
    found.refuse()
    if word is None or kwargs is None:
        raise AssertionError("what is missing was refused")
    columns = () if word.kind == "table" else _columns(item, word.type, kwargs, function)
    severity = keys["severity"].value
    return Expectation(word.type, kwargs, severity, word.kind, columns, item.line, bool(all_null), function)


def _severity(place: Marked) -> None:
    if place.value not in get_args(Severity):
        place.fail(f"unknown severity {place.value!r}{nearest(place.value, get_args(Severity))}")


def _word(place: Marked, own: Mapping[str, Function]) -> Word:
    name = str(place.value)
    known = vocabulary.words().get(name)
    if name in own and known is not None:
        place.fail(f"{name!r} is Great Expectations' own: give the project's function another name")
    if name in own:
        return custom.word(name, own[name])
    if known is None:
        place.fail(vocabulary.why_not(name, own))
    return known


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


def _duplicates(path: Path, entries: tuple[Expectation, ...]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for entry in entries:
        said = f"{entry.type} {json.dumps(entry.kwargs, sort_keys=True, default=str)}"
        if said in seen:
            yield f"{path}:{entry.line}: the same expectation is on line {seen[said]}: keep one"
        seen.setdefault(said, entry.line)
