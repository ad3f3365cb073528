"""Model versions: what one is, what made it, and how versions follow each other as champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

Stage = Literal["challenger", "champion", "retired"]
Action = Literal["promote", "accept", "rollback", "retire"]


@dataclass(frozen=True, slots=True)
class Lineage:
    """All that made a version: with it, the same code makes the same version again.

    `tables` are Delta versions by table name, `settings` the hash of the spec (which is among the
    version's files), `code` a git revision or "unknown". The rows from `trained_until` on were seen
    by no fit, and those after `learnt_until` only to stop and to calibrate it. `parameters` are
    those of the family, and of the families that it is made of, by name; `starts` are the versions that
    such of them went on from as are stateful. A version that `keeps` the fit of another has nothing of
    its own but a calibration, of the rows from `calibrated_since` on.
    """

    tables: Mapping[str, int]
    batches: tuple[str, ...]
    as_of: datetime
    code: str
    settings: str
    packages: Mapping[str, str]
    seed: int
    trained_until: datetime
    learnt_until: datetime | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    starts: Mapping[str, str] = field(default_factory=dict)
    keeps: str | None = None
    calibrated_since: datetime | None = None

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """The lineage that `plain` wrote."""
        names = ("as_of", "trained_until", "learnt_until", "calibrated_since")
        instants = {name: datetime.fromisoformat(kept[name]) for name in names if kept.get(name)}
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
        """What the version is called everywhere, such as `shop/3`."""
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


@dataclass(frozen=True, slots=True)
class Archive:
    """A retired version put away: the file that holds it all, by its SHA-256, and what it was trained on.

    As long as it is kept, the versions of the `tables` must be, too: with them it can be made again.
    """

    version: str
    sha256: str
    tables: Mapping[str, int]
    at: datetime
    by: str
    why: str


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
