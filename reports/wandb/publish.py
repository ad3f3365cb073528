"""Publishing W&B reports: what was not yet, in its present form, and what became of it."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from models.tracking import Outcome, answers, client
from reports.wandb import app
from reports.wandb.kept import Published, definition_of, projects, published, remember

LONGEST = 300


def publish_all(home: Path) -> Iterator[Outcome]:
    """Publish the report of each project that has news; what fails is kept, for the next call."""
    for project in projects(home):
        outcome = publish(home, project)
        if outcome is not None:
            yield outcome


def publish(home: Path, project: str) -> Outcome | None:
    """Publish a project's report, and say what became of it, its link if all went well; it never raises.

    None when it was published before just as it is now.
    """
    name = f"report of {project}"
    if not os.environ.get("WANDB_API_KEY"):  # W&B would ask for one
        return Outcome(name, "failed", "WANDB_API_KEY is not set")
    try:
        client.settle(home.resolve())
        with FileLock(home / "wandb" / "reports" / f"{project}.lock", timeout=0):
            return _published(home, project, name)
    except Timeout:
        return Outcome(name, "in use", "it is being published")
    except Exception as error:  # whatever W&B raises: the others are still to be published
        told = " ".join(f"{error}".split()) or type(error).__name__
        return Outcome(name, "failed", told[:LONGEST])


def _published(home: Path, project: str, name: str) -> Outcome | None:
    found, digest = definition_of(home, project)
    before, server = published(home, project), client.address()
    if before and (before.digest, before.server) == (digest, server):
        return None
    if not answers(server):
        return Outcome(name, "failed", f"{server} does not answer")
    entity = client.entity()
    now = Published("", server, entity, "", "")
    if before and (before.server, before.entity) == (server, entity) and app.is_there(before.id):
        now = replace(before, digest="")  # until it is as it should be, it is to be published

    def made(identity: str) -> None:
        # What is there is updated the next time, whatever becomes of this one.
        remember(home, project, replace(now, id=identity))

    identity, link = app.send(found, entity, now.id, made)
    remember(home, project, Published(digest, server, entity, identity, link))
    return Outcome(name, "sent", link)
