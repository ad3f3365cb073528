"""Files of the home that nothing names any more: unpacked deliveries, tracked runs, temporary folders."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from core.sources.place import PLACES, places_path
from models.tracking import discard, sent
from stages.data.retained import gone
from stages.housekeeping.housekept import Housekept, Instants, Line
from stages.workspace import Workspace

YOUNG = timedelta(days=1)  # what is younger may be at work
SENT = timedelta(days=7)
TEMPORARY = ("fit-*", "new-*")


def delivered_files(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Remove unpacked deliveries that count no longer, and those all of whose rows retention has deleted."""
    found.attempt("unpacked deliveries", _delivered, workspace, instants)


def tracked_runs(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Remove the runs of W&B that were sent a week ago; those that were not wait to be."""

    def act() -> Iterator[Line]:
        until = (instants.now - SENT).timestamp()
        if gone := sum(discard(record, until) for record in sent(workspace.settings.home)):
            yield Line("tracked runs", "wandb", f"removed {gone} runs that were sent", files=gone)

    found.attempt("tracked runs", act)


def temporary_files(workspace: Workspace, instants: Instants, found: Housekept) -> None:
    """Remove the folders that fits and proposals leave behind when they are killed."""
    home = workspace.settings.home
    left = (path for name in TEMPORARY for path in home.glob(name))
    old = (path for path in left if is_old(path, instants))
    found.attempt("temporary files", removed, "temporary files", "home", old)


def is_old(path: Path, instants: Instants) -> bool:
    """Whether nothing in a file or folder was written for a day; a file that is gone is not."""
    try:
        every = [path, *path.rglob("*")] if path.is_dir() else [path]
        return max(each.stat().st_mtime for each in every) <= (instants.now - YOUNG).timestamp()
    except FileNotFoundError:
        return False


def removed(step: str, subject: str, paths: Iterable[Path]) -> Iterator[Line]:
    """Remove files and folders, and say how many and how large; what is gone by now is not counted."""
    files = size = 0
    for path in paths:
        try:
            every = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
            freed = sum(each.stat().st_size for each in every)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except FileNotFoundError:
            continue
        files, size = files + len(every), size + freed
    if files:
        yield Line(step, subject, "removed what nothing names", files=files, bytes=size)


def _delivered(workspace: Workspace, instants: Instants) -> Iterator[Line]:
    staging = workspace.settings.staging
    wanted, ended = _staged(workspace)
    over = sorted(ended - wanted)
    for name in over:  # on record before it is gone: what is counted on and not there is read again
        if (staging / name).is_file() and not name.endswith(PLACES):
            workspace.ledger.record("expire/staging", name, "", {}, instants.as_of)
    paths = [path for path in staging.glob("*") if path.name not in wanted]
    yield from removed(
        "deliveries", "staging", (path for path in paths if path.name in over or is_old(path, instants))
    )


def _staged(workspace: Workspace) -> tuple[set[str], set[str]]:
    """The files of the staging folder that are counted on, and those all of whose rows were deleted.

    Projects share the folder: what one has no need of may be another's.
    """
    staging, mine = workspace.settings.staging, workspace.project.name
    wanted, ended = set[str](), set[str]()
    for (project, dataset), deliveries in workspace.manifest.counted_on().items():
        deleted = gone(workspace, f"raw/{dataset}").keys() if project == mine else ()
        placed = workspace.manifest.placed(dataset) if deleted else {}
        for staged, digest, by in deliveries:
            batches = placed.get((digest, by))
            over = batches is not None and batches <= set(deleted)
            (ended if over else wanted).update((staged, places_path(staging, digest, by).name))
    return wanted, ended
