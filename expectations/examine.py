"""All suites of a project at once: what is wrong in them, and what they name that is not there."""

from collections.abc import Iterator
from pathlib import Path

from core.errors import SpecError
from core.projects import Project
from core.spec import Dataset
from core.words import nearest
from expectations.parameters import NAMES, parse
from expectations.suites import Suite, load_suite

_PROPOSED = ".proposed"


def suite_faults(project: Project, folder: Path, functions_run: bool = True) -> Iterator[str]:
    """A sentence on each thing that is wrong in the suites of a project, which lie in `folder`.

    A column that `prepare` may add is not missed. Where functions.py does not run, what it may hold is
    not missed either: `functions_run` is then False.
    """
    datasets = project.spec.datasets
    for name in datasets:
        path = folder / f"{name}.yaml"
        if not path.is_file():
            yield f"{path}: there is no such file: begin with the shortest suite of docs/data.md"
            continue
        try:
            suite = load_suite(path, project.functions)
        except SpecError as error:
            yield from _certain(str(error).splitlines(), functions_run)
        else:
            yield from _of_suite(project, name, suite)
    for path in sorted(folder.glob("*.yaml")):
        if path.stem not in datasets and not path.stem.endswith(_PROPOSED):
            yield f"{path}:1: is the suite of no dataset{nearest(path.stem, datasets)}"


def _certain(sentences: list[str], functions_run: bool) -> list[str]:
    return [each for each in sentences if functions_run or "unknown expectation type" not in each]


def _of_suite(project: Project, dataset: str, suite: Suite) -> Iterator[str]:
    """The columns and parameters that it names and that are not there."""
    datasets = project.spec.datasets
    for entry in suite.expectations:
        where = f"{suite.where(entry)}: {entry.type}"
        for column in entry.columns if entry.type != "expect_column_to_exist" else ():
            if said := _missing(datasets[dataset], dataset, column):
                yield f"{where}: {said}"
        for text in entry.parameters.values():
            if said := _unknown(project, dataset, parse(text).name):
                yield f"{where}: parameter {parse(text).name!r}: {said}"


def _unknown(project: Project, dataset: str, parameter: str) -> str | None:
    """Why a parameter has no value in a suite of this dataset; None where it has one."""
    if parameter in NAMES:
        return None
    group, _, column = parameter.partition(".")
    others = [name for name in project.spec.datasets if name != dataset]
    if group not in (*others, "reference"):
        return f"no other dataset {group!r}{nearest(group, [*others, 'reference'])}"
    name = dataset if group == "reference" else group
    return _missing(project.spec.datasets[name], name, column)


def _missing(rules: Dataset, dataset: str, column: str) -> str | None:
    if column in rules.columns or rules.prepare is not None:
        return None
    return f"dataset {dataset!r} has no column {column!r}{nearest(column, rules.columns)}"
