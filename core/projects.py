"""Reading a project's folder: its spec, and the functions that the spec names."""

import inspect
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from pydantic import ValidationError

from core.documents import Document, Fault, Keys, read
from core.errors import SpecError
from core.learning import ProblemKind
from core.references import faults
from core.salvage import is_certain, salvaged, validated
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
    return sorted(path.parent.name for path in settings.projects.glob("[!.]*/project.yaml"))


def folder_of(name: str, settings: Settings) -> Path:
    """The folder of a project, whatever is in its spec; SpecError when there is no such project."""
    folder, known = settings.projects / name, names(settings)
    if name not in known:
        there = nearest(name, known) or f"; there is none in {settings.projects}"
        raise SpecError(f"no project {name!r}: {folder / 'project.yaml'} is missing{there}")
    return folder


@dataclass(frozen=True, slots=True)
class Examined:
    """A project as far as it can be read: `found` are the sentences on what is wrong, empty if nothing is.

    What is wrong has stand-ins in the project, whose places are `doubtful`; `document` is the file of its
    spec. `runs` is whether functions.py does.
    """

    project: Project
    document: Document
    doubtful: Collection[Keys]
    runs: bool
    found: tuple[str, ...] = ()

    def told(self, faults: Iterable[Fault]) -> list[str]:
        """Further faults as sentences, but for those that may only be there because of others."""
        return [self.document.at(*fault) for fault in faults if is_certain(fault[0], self.doubtful)]


def load(name: str, settings: Settings) -> Project:
    """Read `projects/<name>/project.yaml` and check that what it names exists.

    Raises SpecError with all problems, each in a line with the file, the line, the key and what
    would be right.
    """
    examined = examine(name, settings)
    if examined.found:
        raise SpecError("\n".join(examined.found))
    return examined.project


def examine(name: str, settings: Settings) -> Examined:
    """The same, with every problem at once, and nothing raised because of them.

    Raises SpecError when there is no such project, or its spec is no YAML.
    """
    folder = folder_of(name, settings)
    document = read(folder / "project.yaml")
    found = document.repeated()
    try:
        validated(document.value)
    except ValidationError as error:
        found += sentences(error, document)
    spec, doubtful = salvaged(document.value)
    code = folder / "functions.py"
    text = code.read_text(encoding="utf-8", errors="replace") if code.is_file() else ""
    functions: dict[str, Function] | None = None
    try:
        functions = functions_of(text, code)
    except SpecError as error:
        found.append(str(error))
    examined = Examined(
        Project(spec, folder, functions or {}, text), document, doubtful, functions is not None
    )
    named = [(("name",), f"should be that of its folder, {name!r}, not {spec.name!r}")]
    found += examined.told(named if spec.name != name else [])
    found += examined.told(_references(spec, functions, doubtful))
    return replace(examined, found=tuple(found))


def _references(spec: Spec, functions: Collection[str] | None, doubtful: Collection[Keys]) -> Iterator[Fault]:
    """What the spec names and is not there, of whichever kind its problem is where that is in doubt."""
    kinds = get_args(ProblemKind) if ("problem",) in doubtful else (spec.problem,)
    first, *others = [list(faults(spec.model_copy(update={"problem": kind}), functions)) for kind in kinds]
    return (fault for fault in first if all(fault in other for other in others))


def run(text: str, path: Path) -> ModuleType:
    """What the text of a project's file of Python defines; SpecError with its line when it fails."""
    module = ModuleType(f"projects.{path.parent.name}.{path.stem}")
    module.__file__ = str(path)
    try:
        # Compiled from the text that the project's fingerprint is made of, not from a cache beside it.
        exec(compile(text, path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
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


def functions_of(text: str, path: Path) -> dict[str, Function]:
    """The functions that a file of Python defines; SpecError with its line where it does not run."""
    module = run(text, path)
    members = inspect.getmembers(module, inspect.isfunction)
    return {name: member for name, member in members if member.__module__ == module.__name__}
