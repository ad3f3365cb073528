"""New: a project proposed from a table, rehearsed on it, and written whole or not at all."""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from core.errors import DeliveryError, SpecError
from core.scalars import NAME
from core.secrets import Secrets
from core.settings import CHECKOUT, Settings
from proposal.ask import Ask
from proposal.delivered import delivered
from proposal.functions_text import functions_text, guessed
from proposal.located import located
from proposal.plan import Plan, planned
from proposal.readme import readme_text
from proposal.spec_text import spec_text
from stages.proposal.rehearse import Rehearsal, rehearse, room_of

_RESERVED = ("new", "all")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Written:
    """A project that was written: its plan, where, and what a person has to decide (path, line, sentence)."""

    plan: Plan
    folder: Path
    suite: Path
    rehearsal: Rehearsal
    decisions: tuple[tuple[Path, int, str], ...]


def propose_project(ask: Ask, settings: Settings, here: Path, blocks: Secrets | None = None) -> Written:
    """Read the table, propose a project for it, try it on the table, and write it.

    `here` is where a relative path is taken from. Raises SpecError or DeliveryError where nothing can
    be proposed; then nothing is written.
    """
    folder, suites = settings.projects / ask.name, settings.suites / ask.name
    _require_new(ask.name, folder, suites)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix="new-") as room:
        own = room_of(Path(room))
        source = located(ask.data, here, folder, Path("/nowhere"))
        try:
            plan = planned(ask, delivered(source, Path(room), own.staging, blocks or Secrets()))
            rehearsal = rehearse(plan, own)
        except pl.exceptions.PolarsError as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise DeliveryError(f"{source.described} cannot be understood: {why}") from error
        plan = _after(plan, rehearsal)
        told = located(ask.data, here, folder, CHECKOUT)
        spec, found = spec_text(plan, told)
        guess = guessed(plan)
        decisions = [("project.yaml", each) for each in found]
        decisions += [("functions.py", guess)] if guess else []
        files = {
            folder / "project.yaml": spec,
            folder / "functions.py": functions_text(plan),
            folder / "README.md": readme_text(plan, told, decisions, rehearsal.told),
            suites / f"{ask.name}.yaml": rehearsal.suite,
        }
        # The project last: a kill between the two leaves none that lacks its suite.
        _write({path: text for path, text in files.items() if text}, (suites, folder))
    decided = tuple((folder / file, each.line, each.text) for file, each in decisions)
    return Written(plan, folder, suites / f"{ask.name}.yaml", rehearsal, decided)


def _require_new(name: str, folder: Path, suites: Path) -> None:
    if not re.fullmatch(NAME, name) or len(name) > _LONGEST or name in _RESERVED:
        raise SpecError(
            f"NAME={name}: a project's name is of lower-case letters, digits and _, begins with a"
            f" letter, and has up to {_LONGEST} of them, such as late_arrivals"
        )
    for path in (folder, suites):
        if path.exists():
            raise SpecError(
                f"{path} is there already, and stays as it is: choose another NAME, or remove it first"
            )


def _after(plan: Plan, rehearsal: Rehearsal) -> Plan:
    """The plan with what the rehearsal has taught."""
    stopped = [each for each in rehearsal.ingested if each.stopped]
    doubts = [rehearsal.unfit and f"no fit can be made: {rehearsal.unfit}"]
    if stopped:
        doubts.append(f"{len(stopped)} batches stop, {stopped[0].batch} the first: {stopped[0].stopped}")
    doubt = "; ".join(filter(None, [plan.batches.doubt, *doubts]))
    return replace(plan, batches=replace(plan.batches, first=rehearsal.first, doubt=doubt))


def _write(files: Mapping[Path, str], folders: Sequence[Path]) -> None:
    """Write all of the files, or none: each folder is made beside its place, and then moved there."""
    drafts = {folder: folder.with_name(f".{folder.name}-{os.getpid()}") for folder in folders}
    try:
        for path, text in files.items():
            draft = drafts[path.parent] / path.name
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(text, encoding="utf-8")
        moved: list[Path] = []
        try:
            for folder, draft in drafts.items():
                draft.rename(folder)
                moved.append(folder)
        except BaseException:
            for folder in moved:
                shutil.rmtree(folder)
            raise
    finally:
        for draft in drafts.values():
            shutil.rmtree(draft, ignore_errors=True)
