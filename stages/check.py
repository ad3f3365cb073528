"""Check: all that can be said of a project without running it, at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.changes import policy_faults
from core.documents import Fault
from core.errors import DeliveryError, SpecError
from core.operating import NOTIFYING
from core.projects import Examined, Project, examine
from core.salvage import is_certain
from core.secrets import Secrets, unset
from core.settings import Settings
from core.sources import files, objects
from core.sources.declared import DeltaSource, FilesSource, PackageSource, Source, SqlSource
from core.spec import Spec
from core.words import nearest
from features.declared import naming_faults
from features.derived import expressions
from models.declared import training_faults
from stages.data.packages import verify
from stages.data.retained import retention_faults

_PLACE = re.compile(r"(.+?):(\d+): ")


@dataclass(frozen=True, slots=True)
class Checked:
    """Sentences on what is wrong with a project, by file and line; and on sources that are not there."""

    problems: tuple[str, ...]
    absent: tuple[str, ...]


def check(name: str, settings: Settings) -> Checked:
    """Every problem of a project's spec, functions and suites, and of the secrets that they need.

    No source is read, and no network is asked. Raises SpecError when there is no such project, or its spec
    is no YAML.
    """
    # Great Expectations takes seconds to import: only who judges suites waits for it.
    from expectations.examine import suite_faults

    examined = examine(name, settings)
    spec = examined.project.spec
    found = [*examined.found, *examined.told(training_faults(spec)), *examined.told(_secrets(examined))]
    found += examined.told(policy_faults(spec, training_faults))
    found += [*examined.told(naming_faults(spec)), *examined.told(retention_faults(spec))]
    found += examined.told(_routes(spec))
    if examined.runs:
        found += examined.told(_functions(examined.project))
    if is_certain(("datasets",), examined.doubtful) or spec.datasets:
        found += suite_faults(examined.project, settings.suites / name, examined.runs)
    return Checked(tuple(sorted(dict.fromkeys(found), key=_place)), tuple(_absent(examined)))


def _place(sentence: str) -> tuple[str, int]:
    """File and line of a sentence."""
    found = _PLACE.match(sentence)
    return (found[1], int(found[2])) if found else (sentence, 0)


def _functions(project: Project) -> Iterator[Fault]:
    """The functions that make no expression for their feature."""
    for name, feature in project.spec.features.items():
        if feature.from_ == "function" and feature.function in project.functions:
            try:
                expressions(project.spec, project.functions, [name])
            except SpecError as error:
                yield ("features", name, "function"), str(error).removeprefix(f"feature {name}: ")


def _secrets(examined: Examined) -> Iterator[Fault]:
    for name, dataset in examined.project.spec.datasets.items():
        for sentence in unset(dataset.source.url) if isinstance(dataset.source, SqlSource) else ():
            yield ("datasets", name, "source", "url"), sentence


def _routes(spec: Spec) -> Iterator[Fault]:
    """Alerts that would be sent through blocks that send nothing."""
    for place, route in enumerate(spec.alerts):
        kind = route.block.partition("/")[0]
        if kind not in NOTIFYING:
            yield ("alerts", place, "block"), f"no block of type {kind!r} notifies{nearest(kind, NOTIFYING)}"


def _absent(examined: Examined) -> Iterator[str]:
    """What is not where the sources say, as far as this machine alone can tell."""
    for name, dataset in examined.project.spec.datasets.items():
        keys = ("datasets", name, "source")
        try:
            if is_certain(keys, examined.doubtful):
                _look(examined.project, dataset.source)
        except DeliveryError as error:
            yield examined.document.at(keys, str(error))


def _look(project: Project, source: Source) -> None:
    """Raise DeliveryError where a package or a local file is not there."""
    if isinstance(source, PackageSource):
        verify(source, project.name)
    if not isinstance(source, FilesSource | DeltaSource) or objects.is_url(source.path):
        return
    if isinstance(source, DeltaSource):
        there = (project.folder / source.path / "_delta_log").is_dir()
    else:
        batches = project.spec.batches.calendar().batches()
        there = bool(files.items(project.folder, source, batches, {}, Secrets()))
    if not there:
        raise DeliveryError(f"there is no {source.path}")
