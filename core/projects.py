"""Reading a project's folder: its spec, and the functions that the spec names."""

import inspect
import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from core.documents import Document, read
from core.errors import SpecError
from core.references import faults
from core.settings import Settings
from core.spec import Spec
from core.spec_errors import sentences
from core.words import nearest

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

    def blame(self, error: BaseException) -> str:
        """What went wrong in a function of the project, with the line of functions.py."""
        return blame(error, self.folder / "functions.py")


def names(settings: Settings) -> list[str]:
    """The projects that there are, in alphabetical order."""
    return sorted(path.parent.name for path in settings.projects.glob("*/project.yaml"))


def load(name: str, settings: Settings) -> Project:
    """Read `projects/<name>/project.yaml` and check that what it names exists.

    Raises SpecError with all problems, each in a line with the file, the line, the key and what
    would be right.
    """
    folder = settings.projects / name
    known = names(settings)
    if name not in known:
        there = nearest(name, known) or f"; there is none in {settings.projects}"
        raise SpecError(f"no project {name!r}: {folder / 'project.yaml'} is missing{there}")
    document = read(folder / "project.yaml")
    spec = _validated(document)
    code = folder / "functions.py"
    text = code.read_text(encoding="utf-8", errors="replace") if code.is_file() else ""
    functions = _functions(text, code)
    found = [document.at(keys, sentence) for keys, sentence in faults(spec, functions)]
    if spec.name != name:
        found.insert(0, document.at(("name",), f"should be that of its folder, {name!r}, not {spec.name!r}"))
    if found:
        raise SpecError("\n".join(found))
    return Project(spec, folder, functions, text)


def run(text: str, path: Path) -> ModuleType:
    """What the text of a project's file of Python defines; SpecError with its line when it fails."""
    module = ModuleType(f"projects.{path.parent.name}.{path.stem}")
    module.__file__ = str(path)
    try:
        # Compiled from the text that the project's fingerprint is made of, not from a cache beside it.
        exec(compile(text, path, "exec"), module.__dict__)
    except Exception as error:
        raise SpecError(blame(error, path)) from error
    return module


def blame(error: BaseException, code: Path) -> str:
    """What went wrong in a file of Python, with the line of it that led there."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(code)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(code):
        return f"{code}:{error.lineno}: is no valid Python: {error.msg}"
    why = (str(error).splitlines() or [""])[0]
    return f"{code}:{lines[-1] if lines else 1}: {type(error).__name__}: {why}"


def _validated(document: Document) -> Spec:
    found = document.repeated()
    try:
        # As JSON, so that a text is not taken for a number, and a date may be one.
        spec = Spec.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        found += sentences(error, document)
    if found:
        raise SpecError("\n".join(found))
    return spec


def _functions(text: str, path: Path) -> dict[str, Function]:
    module = run(text, path)
    members = inspect.getmembers(module, inspect.isfunction)
    return {name: member for name, member in members if member.__module__ == module.__name__}
