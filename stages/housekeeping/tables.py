"""Tables: small files put together, and old ones removed that nothing reads any more."""

from collections.abc import Iterator

from core.upkeep import compact, vacuum
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.models.archive import archive_path
from stages.workspace import Workspace

HOURS = 7 * 24  # that files stay which nothing names any more: what began before may still read them
ALWAYS = (
    "features",
    "outcomes",
    "predictions",
    "shadow_predictions",
    "served/predictions",
    "served/outcomes",
    "profiles",
    "prediction_profiles",
    "metrics",
)


def compact_tables(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Put the small files of a batch together, where it has many."""
    for table in _tables(workspace):
        found.attempt(f"compaction of {table}", _compacted, workspace, table)


def vacuum_tables(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Remove the files of old versions, but for those that a model version was trained on."""
    for table in _tables(workspace):
        found.attempt(f"vacuum of {table}", _vacuumed, workspace, table)


def protected(workspace: Workspace) -> dict[str, dict[int, list[str]]]:
    """By table, the versions that are never removed, and the model versions that were trained on each.

    A model version counts whatever its stage: champions serve, challengers may, former champions may
    again, and what is retired is archived to be made again. An archived one counts as long as its
    file is there.
    """
    archived = {each.version for each in workspace.registry.archives(workspace.project.name)}
    found: dict[str, dict[int, list[str]]] = {}
    for version in workspace.registry.versions(workspace.project.name):
        if version.id in archived and not archive_path(workspace, version).is_file():
            continue
        for table, number in version.lineage.tables.items():
            found.setdefault(table, {}).setdefault(number, []).append(version.id)
    return found


def _compacted(workspace: Workspace, table: str) -> Iterator[Line]:
    before = compact(workspace.lake, table)
    if before:
        files = sum(it.files for it in before.values())
        yield Line("compaction", table, f"put {files} files of {len(before)} batches together")


def _vacuumed(workspace: Workspace, table: str) -> Iterator[Line]:
    keep = protected(workspace).get(table, {})
    removed = vacuum(workspace.lake, table, keep, HOURS)
    models = len({version for versions in keep.values() for version in versions})
    kept = f"; {len(keep)} versions stay, which {models} models were trained on" if keep else ""
    if removed.files or keep:
        yield Line("vacuum", table, f"removed old files{kept}", files=removed.files, bytes=removed.bytes)


def _tables(workspace: Workspace) -> list[str]:
    """The tables that there are; one in whose folder another lies would have its files taken for its own."""
    named = [f"{kind}/{name}" for name in workspace.spec.datasets for kind in ("raw", "quarantine")]
    there = [table for table in (*named, *ALWAYS) if workspace.lake.exists(table)]
    return [table for table in there if not any(other.startswith(f"{table}/") for other in there)]
