"""API keys: made, shown once, kept as their hash, revoked; each with its scopes and its rate."""

import hashlib
import math
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    select,
    update,
)

from core.database import Instant, alone, connect
from core.errors import PerennialError
from core.words import nearest

Scope = Literal["predict", "outcomes", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
SECRET = 43
"""The characters of a key's random end: 32 bytes in the url-safe alphabet."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it is told in logs and measures: one plain word
_METADATA = MetaData()
_KEYS = Table(
    "api_keys",
    _METADATA,
    Column("project", String(100), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("rate", Float),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("revoked_at", Instant),
    Column("revoked_by", String(200)),
)
_LIVE = _KEYS.c.revoked_at.is_(None)
Index(
    "one_live_key_of_a_name",
    _KEYS.c.project,
    _KEYS.c.name,
    unique=True,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)


@dataclass(frozen=True, slots=True)
class Key:
    """What is on record of a key: `rate` in requests a second, None for the default; never the key itself."""

    number: int
    name: str
    sha256: bytes = field(repr=False)
    scopes: frozenset[Scope]
    rate: float | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class Keys:
    """The keys to one project's service, in the database of the registry at `url`.

    Each change is one transaction, and any number of processes may call at once. Raises what `connect`
    does, and SQLAlchemy's DBAPIError where the database is lost later.
    """

    def __init__(self, url: str, project: str) -> None:
        self._project = project
        self._engine = connect(url, _METADATA)

    def create(
        self, name: str, scopes: Collection[str], *, rate: float | None = None, at: datetime, by: str
    ) -> str:
        """A new key, which nobody can be told again: what is kept is its hash.

        Raises PerennialError for a name that a live key has or that is no plain word, for a scope that
        is none, and for a rate that is not above 0.
        """
        _require_sound(name, scopes, rate)
        facts = {"project": self._project, "name": name, "scopes": sorted(set(scopes)), "rate": rate}
        made = {"created_at": at, "created_by": by}
        with alone(self._engine) as connection:
            if name in self._live_names(connection):
                raise PerennialError(
                    f"{self._project} has a live key {name!r}: take another name, or revoke that key first"
                )
            of_project = select(func.max(_KEYS.c.number)).filter_by(project=self._project)
            number = 1 + (connection.scalar(of_project) or 0)
            key = prefix(number) + secrets.token_urlsafe(32)
            kept = {"number": number, "sha256": hashed(key.encode()).hex()}
            connection.execute(insert(_KEYS).values(facts | made | kept))
        return key

    def revoke(self, name: str, *, at: datetime, by: str) -> None:
        """End the live key of a name, for good; PerennialError where there is none."""
        with alone(self._engine) as connection:
            if name not in (known := self._live_names(connection)):
                there = nearest(name, known) or ("" if known else "; it has none at all")
                raise PerennialError(f"{self._project} has no live key {name!r}{there}")
            of_name = update(_KEYS).where(_LIVE).filter_by(project=self._project, name=name)
            connection.execute(of_name.values(revoked_at=at, revoked_by=by))

    def all(self) -> list[Key]:
        """Every key there ever was, the oldest first."""
        return self._read()

    def live(self) -> list[Key]:
        """The keys that are not revoked, the oldest first."""
        return self._read(_LIVE)

    def _live_names(self, connection: Connection) -> list[str]:
        query = select(_KEYS.c.name).where(_LIVE).filter_by(project=self._project)
        return list(connection.scalars(query.order_by(_KEYS.c.number)))

    def _read(self, *which: ColumnElement[bool]) -> list[Key]:
        query = select(_KEYS).where(*which).filter_by(project=self._project).order_by(_KEYS.c.number)
        with self._engine.connect() as connection:
            return [_key_of(row) for row in connection.execute(query)]


def prefix(number: int) -> str:
    """What a key begins with: scanners for secrets know it by that, and it is looked up by its number."""
    return f"perennial_{number}_"


def hashed(key: bytes) -> bytes:
    """The SHA-256 of a whole key.

    A slow hash, with a salt, guards what people think up and may use twice; 256 random bits cannot be
    guessed at any speed, and each request is to be answered within microseconds.
    """
    return hashlib.sha256(key).digest()


def _require_sound(name: str, scopes: Collection[str], rate: float | None) -> None:
    if not _NAME.fullmatch(name):
        raise PerennialError(f"a key's name is of up to 100 letters, digits, '.', '_' and '-', not {name!r}")
    if not scopes:
        raise PerennialError(f"a key without a scope opens nothing{nearest('', SCOPES)}")
    for scope in scopes:
        if scope not in SCOPES:
            raise PerennialError(f"no scope {scope!r}{nearest(scope, SCOPES)}")
    if rate is not None and not 0 < rate < math.inf:
        raise PerennialError(f"a key's rate is a number of requests a second above 0, not {rate:g}")


def _key_of(row: Row[Any]) -> Key:
    facts = row._asdict()
    del facts["project"]
    return Key(**facts | {"sha256": bytes.fromhex(row.sha256), "scopes": frozenset(row.scopes)})
