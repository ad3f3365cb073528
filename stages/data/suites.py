"""Suites: as their files are, as proposed from what was ingested, and where their verdicts are kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from core.batches import Batch
from core.errors import PerennialError, SpecError
from core.whole import whole
from stages.workspace import WHOLE, Workspace

if TYPE_CHECKING:
    from expectations.suites import Suite


def suite_of(workspace: Workspace, dataset: str) -> "Suite":
    """The suite of a dataset, as its file is now."""
    # Great Expectations takes seconds to import: only a process that ingests waits for it.
    from expectations.suites import load_suite

    path = workspace.settings.suites / workspace.project.name / f"{dataset}.yaml"
    if not path.is_file():
        raise SpecError(
            f"{path}: there is no such file: begin with the shortest suite of docs/data.md, ingest, and let"
            f" `make suite PROJECT={workspace.project.name} DATASET={dataset}` propose the rest"
        )
    return load_suite(path, workspace.project.functions)


def verdict_path(workspace: Workspace, dataset: str, subject: str) -> Path:
    """Where the results of validating a batch are kept, as JSON."""
    return workspace.settings.home / "verdicts" / workspace.project.name / dataset / f"{subject}.json"


def propose_suite(workspace: Workspace, dataset: str, batches: Sequence[Batch]) -> tuple[Path, bool]:
    """Write a suite that the accepted rows of these batches keep; where, and whether it is the suite now.

    A suite that is there stays as it is: the proposal lies beside it, as `<dataset>.proposed.yaml`.
    Raises PerennialError when nothing was ingested, or too little to tell a rule from a chance.
    """
    # Great Expectations takes seconds to import: only who proposes waits for it.
    from expectations.proposal.propose import propose

    workspace.dataset(dataset)
    ids = [WHOLE] if dataset in workspace.whole else [batch.id for batch in batches]
    ingested = [each for each in ids if workspace.content(dataset, each) is not None]
    if not ingested:
        raise PerennialError(
            f"nothing of {dataset!r} was ingested yet: ingest it first, then propose its suite"
        )
    frames = [(each, workspace.lake.scan(f"raw/{dataset}", [each])) for each in ingested]
    calendar = None if dataset in workspace.whole else workspace.spec.batches.calendar()
    text = propose(
        frames,
        workspace.spec.datasets[dataset],
        name=dataset,
        calendar=calendar,
        lists=_lists(workspace, dataset),
    )
    folder = workspace.settings.suites / workspace.project.name
    suite = folder / f"{dataset}.yaml"
    path = folder / f"{dataset}.proposed.yaml" if suite.exists() else suite
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return path, path == suite


def write_data_docs(workspace: Workspace) -> Path:
    """Great Expectations' own site of all verdicts that were kept; the path of its index."""
    from expectations.data_docs import build

    documents = {}
    for dataset in workspace.spec.datasets:
        for path in sorted(verdict_path(workspace, dataset, WHOLE).parent.glob("*.json")):
            documents[f"{dataset}/{path.stem}"] = json.loads(path.read_text(encoding="utf-8"))
    if not documents:
        raise PerennialError(f"nothing of {workspace.project.name} was validated yet: ingest it first")
    return build(documents, workspace.reports / "data-docs")


def _lists(workspace: Workspace, dataset: str) -> dict[str, pl.Series]:
    """The keys of the datasets that are ingested whole: what a column of this one may refer to."""
    found = {}
    for name, rows in workspace.tables().items():
        key = workspace.spec.datasets[name].key
        if name != dataset and len(key) == 1:
            values = rows.select(pl.col(key[0]).drop_nulls().unique())
            found[f"{name}.{key[0]}"] = values.collect().to_series()
    return found
