"""Model versions: what one is, what made it, and how versions follow each other as champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

Stage = Literal["challenger", "champion", "retired"]
Action = Literal["promote", "rollback", "retire"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that made a version: with it, the same code makes the same version again.

    `tables` are Delta versions by table name, `settings` the hash of the spec, `code` a git
    revision or "unknown". The rows from `trained_until` on were seen by no fit.
    """

    tables: Mapping[str, int]
    batches: tuple[str, ...]
    as_of: datetime
    code: str
    settings: str
    packages: Mapping[str, str]
    seed: int
    trained_until: datetime

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """The lineage that `plain` wrote."""
        instants = {name: datetime.fromisoformat(kept[name]) for name in ("as_of", "trained_until")}
        return cls(**{**kept, "batches": tuple(kept["batches"]), **instants})


@dataclass(frozen=True, slots=True)
class Version:
    """A registered model: its files (name to SHA-256) and facts never change, only its stage does."""

    project: str
    number: int
    family: str
    stage: Stage
    files: Mapping[str, str]
    metrics: Mapping[str, Any]
    lineage: Lineage

    @property
    def id(self) -> str:
        """What the version is called everywhere, such as `flights/3`."""
        return f"{self.project}/{self.number}"

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Transition:
    """A version's change of stage: when, by whom, why, and on what evidence."""

    version: str
    action: Action
    before: Stage
    after: Stage
    at: datetime
    by: str
    why: str
    evidence: Mapping[str, Any]


def succession(history: Sequence[Transition]) -> list[str]:
    """The line of champions by id, the present one last; who was rolled back is out of it.

    >>> when = datetime(2013, 4, 1)
    >>> def crowned(id, action): return Transition(id, action, "challenger", "champion", when, "", "", {})
    >>> line = [crowned("a/1", "promote"), crowned("a/2", "promote"), crowned("a/3", "promote")]
    >>> succession([*line, crowned("a/1", "rollback")])
    ['a/1']
    """
    line: list[str] = []
    for change in history:
        if change.after != "champion":
            continue
        if change.action == "rollback" and change.version in line:
            del line[len(line) - line[::-1].index(change.version) :]
        else:
            line.append(change.version)
    return line
