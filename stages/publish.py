"""Publish: what single requests need of the accepted rows is put into the online store."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from core.batches import Batch
from core.ledger import fingerprint
from features.made import look_back
from features.online.publish import Published, datasets, expired, part_of, superseded
from features.online.publish import publish as put
from features.online.store import open_store
from stages.workspace import WHOLE, Workspace


def publish(workspace: Workspace, as_of: datetime) -> list[Published]:
    """Put every batch that a request at `as_of` or later can need into the online store; drop the others.

    A batch whose accepted rows are those that were published is left as it is. What was published
    under other declarations is dropped: requests are answered by those of the spec.
    """
    spec, ledger, lake = workspace.spec, workspace.ledger, workspace.lake
    store = open_store(workspace.settings.online, spec.name)
    there, found = set(store.parts()), []
    for dataset, batch in _needed(workspace, as_of):
        subject = batch.id if batch else WHOLE
        content = workspace.content(dataset, subject)
        if content is None:
            continue
        part = part_of(spec, dataset, batch)
        made_from = fingerprint(part, content)
        done = ledger.finished(f"publish/{dataset}", subject, made_from)
        if done is None or part not in there:
            result = put(spec, store, dataset, batch, lake.scan(f"raw/{dataset}", [subject]))
            ledger.record(f"publish/{dataset}", subject, made_from, asdict(result), as_of)
            found.append(result)
    for part in {*expired(there, spec, as_of), *superseded(there, spec)}:
        store.drop(part)
    return found


def _needed(workspace: Workspace, as_of: datetime) -> Iterator[tuple[str, Batch | None]]:
    for dataset in datasets(workspace.spec):
        if dataset in workspace.whole:
            yield dataset, None
            continue
        back = look_back(workspace.spec, dataset)
        for batch in workspace.batches(as_of):
            if back is None or batch.end > as_of - back + workspace.spec.decision.lead:
                yield dataset, batch
