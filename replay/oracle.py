"""The oracle: of all fits there were, the one that would lose least on the batch to come."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from core.batches import Batch
from core.ledger import fingerprint
from models.registry.versions import Version
from replay.lived import Lived, Step
from replay.outcomes import Known, outcome_of
from replay.policies import ORACLE
from stages.workspace import Workspace

Fit = tuple[Workspace, Version]
"""A version, and the history that it can be read from."""


def fits(histories: Sequence[tuple[Workspace, Lived]]) -> list[Fit]:
    """Each fit that met a gate or served in any of the histories, once, the oldest first."""
    found: dict[str, Fit] = {}
    for workspace, lived in histories:
        for version in lived.challengers():
            found.setdefault(fingerprint(dict(version.files)), (workspace, version))
    return sorted(found.values(), key=lambda fit: fit[1].lineage.as_of)


def there_were(found: Sequence[Fit], batch: Batch) -> Iterator[Fit]:
    """Those that might have answered a batch: they were made before it was over."""
    return (fit for fit in found if fit[1].lineage.as_of < batch.end)


def chosen(found: Sequence[Fit], batch: Batch, as_of: datetime) -> Step:
    """The one that loses least on a batch, by the labels that are known at `as_of`, long after it."""
    there = list(there_were(found, batch))
    known = Known(there[0][0], batch, as_of)
    measured = [
        (outcome_of(workspace, batch, version, as_of, known), version) for workspace, version in there
    ]
    outcome, version = min(measured, key=lambda each: sum(each[0].loss))
    return Step(batch, version, outcome, None, {})


def oracle(found: Sequence[Fit], batches: Sequence[Batch], as_of: datetime) -> Lived:
    """The history of who always chooses so: no policy can know what it does."""
    return Lived(ORACLE, tuple(chosen(found, batch, as_of) for batch in batches))
