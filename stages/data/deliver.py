"""Deliver: what lies at a dataset's source is staged, placed in batches, and entered in the manifest."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import polars as pl

from core.batches import Batch
from core.errors import DeliveryError
from core.ledger import fingerprint
from core.sources import delta, files, sql
from core.sources.declared import DeltaSource, Source, SqlSource
from core.sources.items import Fetched, Item
from core.sources.manifest import Delivered
from core.sources.place import Rules, placed, placed_by
from stages.workspace import WHOLE, Workspace


def pending(workspace: Workspace, dataset: str, batches: Sequence[Batch]) -> list[Item]:
    """What lies at the source for these batches and is not in the manifest as it is now.

    What its source no longer has (the files that a Delta table has rewritten, or a stretch of keys
    that was read otherwise since) is withdrawn from the manifest here. A file that has left its
    folder stays delivered, and is pending where its rows are to be placed by other rules.
    Raises DeliveryError when the source cannot be looked at, or holds nothing at all.
    """
    present = workspace.manifest.present(dataset)
    found = _found(workspace, dataset, batches, present)
    listed = {item.name for item in found}
    left = {name: each for name, each in present.items() if name not in listed}
    if _takes_back(workspace.spec.datasets[dataset].source):
        workspace.manifest.withdraw(dataset, left)
        left = {}
    rules, staging = _rules(workspace, dataset), workspace.settings.staging
    staged = set(os.listdir(staging)) if staging.is_dir() else set()
    # Of what retention has deleted to the last row nothing is to be read again, though it was unpacked once.
    put_away = {*staged, *workspace.ledger.results("expire/staging")}
    found += _readable(left.values(), _read_by(workspace, dataset), staged)
    begun = workspace.manifest.begun(dataset)
    placed = {item.name: (item.batch, begun.get(item.name, 0)) for item in found}
    by = {each: placed_by(rules, *each) for each in set(placed.values())}
    return [
        item for item in found if not _is_known(item, present.get(item.name), by[placed[item.name]], put_away)
    ]


def deliver(workspace: Workspace, dataset: str, item: Item, as_of: datetime) -> Delivered:
    """Stage the rows of an item, find the batch of each, and enter it in the manifest.

    Raises DeliveryError when it cannot be read; why is on the ledger until it can.
    """
    subject = (item.batch or item.name)[-128:]
    try:
        fetched = _fetch(workspace, dataset, item)
        delivered = _enter(workspace, dataset, item, fetched, as_of)
    except DeliveryError as error:
        why = {"why": str(error), "by": item.name}
        workspace.ledger.record(f"refuse/{dataset}", subject, "", why, as_of)
        raise
    refused = workspace.ledger.result(f"refuse/{dataset}", subject)
    if refused and refused.get("by") == item.name:
        workspace.ledger.forget(f"refuse/{dataset}", subject)
    return delivered


def _found(
    workspace: Workspace, dataset: str, batches: Sequence[Batch], present: Mapping[str, Delivered]
) -> list[Item]:
    source, folder = workspace.spec.datasets[dataset].source, workspace.project.folder
    known = {name: each.mark for name, each in present.items() if each.mark is not None}
    if isinstance(source, SqlSource):
        return sql.items(folder, source, batches, known, workspace.secrets)
    if isinstance(source, DeltaSource):
        return delta.items(folder, source, batches, known, workspace.secrets)
    return files.items(folder, source, batches, known, workspace.secrets)


def _takes_back(source: Source) -> bool:
    """Whether what a source no longer lists is no longer delivered."""
    return isinstance(source, DeltaSource) or (isinstance(source, SqlSource) and source.key is not None)


def _readable(left: Iterable[Delivered], read_by: str, staged: Collection[str]) -> list[Item]:
    """Of what a source no longer lists, that whose rows lie in the staging folder as they are read today."""
    return [
        Item(each.name, each.mark, each.size, each.batch)
        for each in left
        if each.mark is not None and each.read_by == read_by and each.staged in staged
    ]


def _is_known(item: Item, known: Delivered | None, by: str, staged: Collection[str]) -> bool:
    return (
        known is not None
        and item.mark is not None
        and known.mark == item.mark
        and known.placed_by == by
        and known.staged in staged
    )


def _fetch(workspace: Workspace, dataset: str, item: Item) -> Fetched:
    """The staged rows of an item; those that are there already are not read from the source again."""
    rules, folder = workspace.spec.datasets[dataset], workspace.project.folder
    batches = workspace.spec.batches.calendar().batches()
    staging, secrets = workspace.settings.staging, workspace.secrets
    known = workspace.manifest.named(dataset, item.name) if item.mark is not None else None
    same = known and known.mark == item.mark and known.read_by == _read_by(workspace, dataset)
    if known and same and (path := staging / known.staged).is_file():
        return Fetched(known.digest, path, known.rows, known.mark)
    if isinstance(rules.source, SqlSource):
        return sql.fetch(folder, rules.source, item, rules.columns, batches, staging, secrets)
    if isinstance(rules.source, DeltaSource):
        return delta.fetch(folder, rules.source, item, rules.columns, batches, staging, secrets)
    return files.fetch(folder, rules.source, item, rules.columns, batches, staging, secrets)


def _enter(workspace: Workspace, dataset: str, item: Item, fetched: Fetched, as_of: datetime) -> Delivered:
    rules, counted = _rules(workspace, dataset), workspace.spec.counted(dataset)
    begin = workspace.manifest.begin
    after = begin(dataset, item.name, fetched.digest, fetched.rows) if counted else 0
    parts = placed(rules, item.batch, fetched, workspace.settings.staging, after)
    delivered = Delivered(
        name=item.name,
        mark=fetched.mark,
        batch=item.batch,
        digest=fetched.digest,
        size=item.size,
        rows=fetched.rows,
        staged=fetched.path.name,
        read_by=_read_by(workspace, dataset),
        placed_by=placed_by(rules, item.batch, after),
        as_of=as_of,
    )
    workspace.manifest.add(dataset, delivered, parts)
    return delivered


def _read_by(workspace: Workspace, dataset: str) -> str:
    """What stands for all that decides how a delivery is staged."""
    rules = workspace.spec.datasets[dataset]
    return fingerprint(
        sorted(rules.columns), rules.source.model_dump(mode="json", include={"nulls", "format", "sha256"})
    )


def _rules(workspace: Workspace, dataset: str) -> Rules:
    """By what the rows of a dataset are placed, and the hash of all that this depends on."""
    rules = workspace.spec.datasets[dataset]
    read = _read_by(workspace, dataset)
    if rules.event_time is None:
        by = fingerprint(WHOLE, rules.columns, read, pl.__version__)
        return Rules(workspace.project, dataset, (), {}, by)
    prepare = [workspace.project.code, workspace.contents()] if rules.prepare else []
    by = fingerprint(
        rules.columns,
        read,
        rules.event_time,
        prepare,
        workspace.spec.batches.model_dump(mode="json"),
        pl.__version__,  # whose row hashes are those of this version
    )
    batches = workspace.spec.batches.calendar().batches()
    return Rules(workspace.project, dataset, batches, workspace.tables(), by)
