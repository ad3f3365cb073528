"""Sending recorded runs to the server: which were not sent yet, and what became of each.

W&B's sync marks a run as sent once it has read its record to the end, whatever the server said
meanwhile; what went wrong is in its log. Here a run is sent when it is marked and the log tells of
no fault.
"""

import hashlib
import json
import os
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from filelock import FileLock, Timeout

from core.errors import PerennialError
from models.tracking import client
from models.tracking.files import KEPT

PROBE_SECONDS = 5
BROKEN_OFF = "incomplete transaction log"  # such as of a machine that went down: nothing more will come
# What W&B logs as an error, too: an old server, its own cache, and what it says once more with the reason.
HARMLESS = ("featurechecker:", "error adding file to cache", "api: HTTP error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: `why` it was not sent, if it was not."""

    run: str
    state: Literal["sent", "failed", "in use", "not tried"]
    why: str = ""


def sync(home: Path) -> Iterator[Outcome]:
    """Send every run below `home`/wandb that was not sent yet, the oldest first.

    What fails stays as it is, to be sent by the next call; once the server does not answer any more,
    no further run is tried. Raises PerennialError without a key, or when no server answers.
    """
    if not os.environ.get("WANDB_API_KEY"):
        raise PerennialError(
            "set WANDB_API_KEY to your key (https://wandb.ai/authorize) to upload runs,"
            " and WANDB_BASE_URL when the server is your own"
        )
    waiting = unsent(home)
    if waiting:
        client.settle(home.resolve())
        if not answers(url := client.address()):
            raise PerennialError(
                f"{url} does not answer: all {len(waiting)} runs stay here, to be sent later"
            )
    there = True
    for record in waiting:
        outcome = _sent(record) if there else Outcome(record.parent.name, "not tried", "no server answers")
        there = there and (outcome.state != "failed" or answers(client.address()))
        yield outcome


def unsent(home: Path) -> list[Path]:
    """The records of the runs that were not sent, the oldest first."""
    found = (home.resolve() / "wandb").glob("*run-*/run-*.wandb")
    return sorted(
        (each for each in found if not _mark(each).exists()), key=lambda each: each.parent.name[-24:]
    )


def sent(home: Path) -> list[Path]:
    """The records of the runs that were sent, in the order of their names."""
    found = (home.resolve() / "wandb").glob("*run-*/run-*.wandb")
    return sorted(each for each in found if _mark(each).exists())


def discard(record: Path, until: float) -> bool:
    """Remove a run that was sent before an instant (seconds since 1970), unless somebody is at work on it."""
    lock = in_use(record)
    try:
        with lock.acquire(timeout=0):
            if not _mark(record).exists() or _mark(record).stat().st_mtime > until:
                return False
            shutil.rmtree(record.parent)
    except (Timeout, FileNotFoundError):
        return False
    return True


def in_use(record: Path) -> FileLock:
    """The lock of a run, which its process holds until it has ended, also by a kill."""
    return FileLock(record.parent / "in-use.lock")


def settled(record: Path, sending: Any, seconds: float | None) -> Outcome:
    """Wait for what becomes of a run that is being sent; after `seconds` it is given up, for now.

    What was kept only to be sent is removed once it is.
    """
    folder = record.parent
    try:
        client.wait(sending, seconds)
    except Exception as error:
        errors = ["it took too long" if isinstance(error, TimeoutError) else str(error)]
    else:
        errors = _errors(folder / "wandb" / "logs")
        if not errors and not _mark(record).exists():
            errors = ["W&B did not say why"]
    if faults := [error for error in errors if BROKEN_OFF not in error]:
        _mark(record).unlink(missing_ok=True)
        return Outcome(folder.name, "failed", faults[0])
    _mark(record).touch()
    _forget(folder)
    return Outcome(folder.name, "sent", "as far as it goes: its record breaks off" if errors else "")


def grew(record: Path) -> None:
    """Take back that a run was sent: it has more now."""
    _mark(record).unlink(missing_ok=True)


def begin(record: Path, *, follow: bool) -> Any:
    """Begin to send a run (see `client.send`), and forget what was logged about doing so before."""
    shutil.rmtree(record.parent / "wandb", ignore_errors=True)
    return client.send(record, follow=follow)


def answers(url: str) -> bool:
    """Does a server that is well answer at `url`? W&B itself would try for minutes."""
    try:
        urlopen(url, timeout=PROBE_SECONDS).close()
    except HTTPError as error:
        return error.code < 500
    except (OSError, HTTPException) as error:
        # W&B may trust certificates that Python does not.
        return isinstance(error, URLError) and isinstance(error.reason, ssl.SSLError)
    return True


def _sent(record: Path) -> Outcome:
    lock = in_use(record)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return Outcome(record.parent.name, "in use", "it is being written or sent")
    try:
        return settled(record, begin(record, follow=False), None)
    except Exception as error:  # whatever W&B raises: the other runs are still to be sent
        return Outcome(record.parent.name, "failed", str(error))
    finally:
        lock.release()


def _mark(record: Path) -> Path:
    return record.with_suffix(".wandb.synced")


def _forget(folder: Path) -> None:
    """Remove what a run that was sent kept for that, and what W&B cached of it, which nobody asks for."""
    cached = folder.parent / "cache" / "artifacts" / "obj" / "md5"
    for file in (folder / KEPT / "staging").glob("*"):
        digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        (cached / digest[:2] / digest[2:]).unlink(missing_ok=True)
    for made in (KEPT, "wandb"):
        shutil.rmtree(folder / made, ignore_errors=True)


def _errors(logs: Path) -> list[str]:
    found = []
    for log in sorted(logs.glob("debug-sync.*.log")):
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            if entry["level"].startswith("ERROR") and not entry["msg"].startswith(HARMLESS):
                found.append(" ".join(f"{entry['msg']} {entry.get('error', '')}".split()))
    return found
