"""Model files that are in the store for nobody: left by a fit that was killed, or archived whole."""

from collections.abc import Iterator

from models.registry.versions import Version
from stages.housekeeping.files import is_old, removed
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.housekeeping.versions import BY, former_champions
from stages.models.archive import archive, archive_path
from stages.workspace import Workspace


def model_files(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Remove the files that no version of any project names, and those of versions that are archived whole.

    What a fit that runs now has kept is younger than a day.
    """
    found.attempt("model files of no version", _unnamed, workspace, instants)
    found.attempt("model files of archived versions", _archived, workspace, instants)


def _unnamed(workspace: Workspace, instants: Instants) -> Iterator[Line]:
    named = workspace.registry.named()
    read = {each["sha256"] for each in workspace.ledger.of_all("retriever")}
    loose = [
        path
        for digest, path in workspace.registry.stored().items()
        if digest not in named and digest not in read
    ]
    loose += workspace.settings.files.glob("incoming-*")
    yield from removed("model files", "of no version", (path for path in loose if is_old(path, instants)))


def _archived(workspace: Workspace, instants: Instants) -> Iterator[Line]:
    """The archive is verified before the files go, and gives them back to whoever makes the version again."""
    stored, named = workspace.registry.stored(), workspace.registry.named()
    spare = {version.id: version for version in _spare(workspace)}
    going = {
        digest: path
        for digest, path in stored.items()
        if named.get(digest) and named[digest] <= spare.keys() and is_old(path, instants)
    }
    for owner in {owner for digest in going for owner in named[digest]}:
        archive(workspace, spare[owner], why="", at=instants.as_of, by=BY)
    yield from removed("model files", "of archived versions", going.values())


def _spare(workspace: Workspace) -> list[Version]:
    """The archived versions that nothing reads: never champion, no start of another, not the newest fit of
    their family, which may be the baseline that a champion is shown beside.
    """
    project = workspace.project.name
    versions = workspace.registry.versions(project)
    archived = {each.version for each in workspace.registry.archives(project)}
    read = former_champions(workspace) | {
        start for version in versions for start in version.lineage.starts.values()
    }
    newest = {version.family: version.id for version in versions}
    return [
        version
        for version in versions
        if version.id in archived - read - set(newest.values()) and archive_path(workspace, version).is_file()
    ]
