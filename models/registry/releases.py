"""Releases: which versions take which share of the traffic, and who is on which side."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.errors import PerennialError

Role = Literal["champion", "canary", "test", "shadow"]
ROLES: tuple[Role, ...] = ("champion", "canary", "test", "shadow")


@dataclass(frozen=True, slots=True)
class Part:
    """A version's part: the `share` of the entities that it answers or, as a shadow, scores unseen."""

    version: str
    role: Role
    share: float


def parts_of(champion: str, *others: Part) -> tuple[Part, ...]:
    """The parts of a release: what the others leave is the champion's.

    >>> [part.share for part in parts_of("shop/1", Part("shop/2", "canary", 0.25))]
    [0.75, 0.25]
    """
    answered = sum(part.share for part in others if part.role != "shadow")
    return (Part(champion, "champion", 1 - answered), *others)


@dataclass(frozen=True, slots=True)
class Release:
    """Which versions take which share from an instant on: the champion, and beside it those that are tried.

    One other version at most answers: a canary, or the one that a `test` holds against the champion. A
    canary that `advances` takes more in steps, as long as nothing speaks against it.
    """

    parts: tuple[Part, ...]
    action: str
    at: datetime
    by: str
    why: str
    evidence: Mapping[str, Any]
    advances: bool = False
    test: Mapping[str, Any] | None = None
    number: int = 0

    def __post_init__(self) -> None:
        """PerennialError, with what would be right, for parts that are none of a release."""
        others = [part for part in self.parts if part.role != "champion"]
        answering = [part for part in others if part.role != "shadow"]
        if len(others) != len(self.parts) - 1:
            raise PerennialError(f"a release has one champion, not {_told(self.parts)}")
        if len({part.version for part in self.parts}) < len(self.parts):
            raise PerennialError(f"a release names a version once, not {_told(self.parts)}")
        if len(answering) > 1:
            raise PerennialError(f"one version answers beside the champion, not {_told(answering)}")
        for part in others:
            if not 0 < part.share <= 1:
                raise PerennialError(f"a share lies above 0 and up to 1, not as in {_told([part])}")
        if any(part.share == 1 for part in answering):
            raise PerennialError(f"{_told(answering)} leaves the champion nothing: promote it instead")

    @property
    def champion(self) -> str:
        """The id of the champion."""
        return next(part.version for part in self.parts if part.role == "champion")

    @property
    def candidate(self) -> Part | None:
        """The part of the one that answers beside the champion: a canary, or one that is tested."""
        return next((part for part in self.parts if part.role in ("canary", "test")), None)

    @property
    def shadows(self) -> tuple[Part, ...]:
        """The parts of those that are scored and not answered."""
        return tuple(part for part in self.parts if part.role == "shadow")

    @property
    def versions(self) -> tuple[str, ...]:
        """The ids of all versions, the champion first."""
        return tuple(part.version for part in sorted(self.parts, key=lambda part: ROLES.index(part.role)))

    def part_for(self, entity: str) -> Part:
        """Whose answer an entity gets; as a share grows, who was on its side stays there."""
        candidate = self.candidate
        if candidate is not None and lot(entity, candidate.version) < candidate.share:
            return candidate
        return next(part for part in self.parts if part.role == "champion")

    def shadows_for(self, entity: str) -> list[Part]:
        """Who scores an entity unseen."""
        return [part for part in self.shadows if part.share == 1 or lot(entity, part.version) < part.share]

    def __str__(self) -> str:
        return _told(self.parts)


def lot(entity: str, version: str) -> float:
    """Where an entity lies between 0 and 1, for the release of a version: that of another draws anew.

    >>> 0 <= lot('["A"]', "shop/2") < 1
    True
    """
    digest = hashlib.blake2b(f"{version}\n{entity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _told(parts: Sequence[Part]) -> str:
    """Parts as `90% shop/1, 10% shop/2 (canary)`."""
    return ", ".join(
        f"{100 * part.share:.4g}% {part.version}{'' if part.role == 'champion' else f' ({part.role})'}"
        for part in parts
    )
