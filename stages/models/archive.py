"""Archive: a version that is out of use, put into one file with all that is known of it."""

import json
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

from core.errors import IntegrityError
from core.plain import plain
from core.whole import whole
from models.registry.files import sha256
from models.registry.versions import Archive, Version
from stages.models.cards import card_path
from stages.workspace import Workspace

# Zip files know no time before it; the same version always makes the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(
    workspace: Workspace, version: Version, *, why: str, at: datetime, by: str
) -> tuple[Path, Archive]:
    """Retire a version and keep it whole in `<home>/archive/<project>-<number>.zip`; once.

    The file holds the version's own files, its lineage, metrics and transitions, and its card; the
    registry keeps its hash, and the table versions that it was trained on. PerennialError for the
    champion, IntegrityError when a file of it, or its archive, is missing or was changed.
    """
    workspace.registry.require_out_of_use(version)
    path = archive_path(workspace, version)
    for kept in workspace.registry.archives(version.project):
        if kept.version == version.id:
            if not path.is_file() or sha256(path) != kept.sha256:
                raise IntegrityError(f"{path} is not what was archived of {version}: put it back from a copy")
            return path, kept
    with whole(path) as draft, zipfile.ZipFile(draft, "w") as target:
        for name in sorted(version.files):
            _add(target, f"files/{name}", workspace.registry.file(version, name).read_bytes())
        _add(target, "version.json", json.dumps(_told(workspace, version), indent=2).encode())
        page = card_path(workspace, version)
        for each in (page, page.with_suffix(".json")):
            if each.is_file():
                _add(target, f"card{each.suffix}", each.read_bytes())
    return path, workspace.registry.archive(version, sha256(path), why=why, at=at, by=by)


def restore(workspace: Workspace, version: Version) -> Version:
    """The version, with what housekeeping has removed of an archived one's files back in the store.

    IntegrityError when the archive does not hold what was registered.
    """
    stored, path = workspace.registry.stored(), archive_path(workspace, version)
    lacking = {name: digest for name, digest in version.files.items() if digest not in stored}
    if not lacking or not path.is_file():
        return version  # what is missing, and was never archived, is told by who reads it
    with (
        tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="fit-") as folder,
        zipfile.ZipFile(path) as source,
    ):
        for name, digest in lacking.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read(f"files/{name}"))
            if sha256(target) != digest:
                raise IntegrityError(f"{path}: {name} is not what was registered of {version}")
        workspace.registry.keep(Path(folder))
    return version


def archive_path(workspace: Workspace, version: Version) -> Path:
    """Where the archive of a version lies."""
    return workspace.settings.home / "archive" / f"{version.project}-{version.number}.zip"


def _told(workspace: Workspace, version: Version) -> object:
    history = [each for each in workspace.registry.transitions(version.project) if each.version == version.id]
    return plain({"version": version, "transitions": history})


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(entry, content)
