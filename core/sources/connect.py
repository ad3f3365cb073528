"""Connecting to the database that a spec names, and saying what went wrong without a secret."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from core.errors import DeliveryError, PerennialError, SpecError
from core.secrets import IN_URL, PLACEHOLDER, Secrets
from core.sources.databases import Database, Driven
from core.sources.postgres import Postgres
from core.sources.sqlite import Sqlite

T = TypeVar("T")

# What may pass by itself.
_LOST = re.compile(
    "connection refused|server closed the connection|terminating connection|no connection to the server|"
    "connection (is |was |has been )?(closed|lost|reset|timed out)|lost connection|timeout expired|timed out|"
    "starting up|shutting down|in recovery mode|not yet accepting|lock (wait )?timeout|deadlock|EOF detected|"
    "too many (clients|connections)|remaining connection slots|is locked|"
    "broken pipe|temporary failure in name resolution|network is unreachable|no route to host|"
    "conflict with recovery|could not serialize",
    re.IGNORECASE,
)
_SAID = re.compile(r"(?:ERROR|FATAL|PANIC):\s+(.+)")


def connect(folder: Path, url: str, secrets: Secrets) -> Database:
    """Connect to read, by ADBC where there is such a driver, else by the one of the URL.

    A secret stands in its variable or block as it is, not percent-encoded as in a URL, unless the
    URL begins with it.
    A SQLite path is taken from `folder`. Raises SpecError when the URL cannot be used, and what
    the drivers raise.
    """
    place = _filled(url, secrets)
    kind = place.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return Postgres(place)
    if kind != "sqlite":
        return Driven(place)
    if place.database in (None, "", ":memory:"):
        raise SpecError("its URL names no file: write sqlite:///path")
    return Sqlite(folder / str(place.database))


def shielded(name: str, secrets: Secrets, call: Callable[[], T]) -> T:
    """What `call` returns; what it raises is raised without its secrets, and without what it came from.

    A connection that cannot be had now, or is lost, is a ConnectionError, which is tried again; any
    other fault of the database is a DeliveryError.
    """
    try:
        return call()
    except Exception as error:
        failure = _told(name, error, secrets)
    # Raised where no error is being handled: the driver's, which may hold the URL, is not its context.
    raise failure


def _told(name: str, error: Exception, secrets: Secrets) -> Exception:
    text = secrets.hide(str(error))
    if isinstance(error, PerennialError):
        return type(error)(text if text.startswith(name) else f"{name}: {text}")
    if isinstance(error, OSError) and error.errno is not None:  # of this machine's files
        return OSError(error.errno, f"{name}: {text}")
    said = _SAID.search(text)
    why = said[1] if said else (text.splitlines() or [type(error).__name__])[0]
    if _LOST.search(text):
        return ConnectionError(f"{name}: the database cannot be reached now: {why}")
    return DeliveryError(f"{name}: the database says: {why}")


def _filled(url: str, secrets: Secrets) -> sa.URL:
    """The URL with its secrets: what it begins with is one itself, the others are values in it."""
    first = PLACEHOLDER.match(url)
    beginning = secrets.fill(first[0]) if first else ""
    rest = secrets.fill(url[first.end() if first else 0 :], lambda value: quote(value, safe=IN_URL))
    if (beginning + rest).partition("?")[0].count("@") > 1:
        # What follows the first one would be taken for the host, and be said in errors.
        raise SpecError("its URL has more than one @: write %40 for one that is part of a password")
    try:
        return sa.make_url(beginning + rest)
    except (sa.exc.ArgumentError, ValueError):
        example = "postgresql://user:${PASSWORD}@host/database"
        raise SpecError(f"its URL is none as SQLAlchemy has it, such as {example}") from None
