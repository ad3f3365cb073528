"""Publish: what single requests need of the accepted rows is put into the online store."""

from collections.abc import Iterator
from datetime import datetime

from core.batches import Batch
from features.made import look_back
from features.online.publish import Published, contents, datasets, expired, part_of, superseded
from features.online.publish import publish as put
from features.online.store import open_store
from stages.workspace import WHOLE, Workspace


def publish(workspace: Workspace, as_of: datetime) -> list[Published]:
    """Put every batch that a request at `as_of` or later can need into the online store; drop the others.

    A batch whose accepted rows are those that were published is left as it is. What was published
    under other declarations is dropped: requests are answered by those of the spec.
    """
    spec, lake = workspace.spec, workspace.lake
    store = open_store(workspace.settings.online, spec.name)
    needed = {part_of(spec, dataset, batch): (dataset, batch) for dataset, batch in _needed(workspace, as_of)}
    held, found = contents(store, needed), []
    for part, (dataset, batch) in needed.items():
        subject = batch.id if batch else WHOLE
        content = workspace.content(dataset, subject)
        if content is not None and held.get(part) != content:
            rows = lake.scan(f"raw/{dataset}", [subject])
            found.append(put(spec, store, dataset, batch, rows, content))
    there = store.parts()
    for part in {*expired(there, spec, as_of), *superseded(there, spec)}:
        store.drop(part)
    return found


def _needed(workspace: Workspace, as_of: datetime) -> Iterator[tuple[str, Batch | None]]:
    for dataset in datasets(workspace.spec):
        if dataset in workspace.whole:
            yield dataset, None
            continue
        back, batches = look_back(workspace.spec, dataset), workspace.batches(as_of)
        # The newest says what the columns are, even where no window reaches back to it.
        newest = next((it for it in reversed(batches) if workspace.content(dataset, it.id) is not None), None)
        for batch in batches:
            if batch == newest or back is None or batch.end > as_of - back + workspace.spec.decision.lead:
                yield dataset, batch
