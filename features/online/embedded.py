"""The online store in a file: SQLite, whose readers do not wait for its writer."""

import json
import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from core.errors import PerennialError

_TABLE = """
CREATE TABLE IF NOT EXISTS facts (
    project TEXT NOT NULL, key TEXT NOT NULL, part TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (project, key, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS of_part ON facts (project, part);
CREATE TABLE IF NOT EXISTS parts (
    project TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (project, part)
) WITHOUT ROWID;
"""
_GET = "SELECT key, value FROM facts WHERE project = ? AND key IN (SELECT value FROM json_each(?))"
_PUT = "INSERT INTO facts (project, part, key, value) VALUES (?, ?, ?, ?)"


class EmbeddedStore:
    """See `features.online.store.Store`. Each thread has a connection of its own, and each process."""

    def __init__(self, path: str, project: str, patience: float) -> None:
        self._patience = patience
        self._path, self._project = Path(path), project
        self._local, self._connections = threading.local(), list[sqlite3.Connection]()
        self._process, self._inherited = os.getpid(), list[object]()

    def put(self, part: str, values: Mapping[str, bytes]) -> None:
        """One transaction; a second writer waits for it."""
        with self._write() as connection:
            self._forget(connection, part)
            connection.execute("INSERT INTO parts VALUES (?, ?)", (self._project, part))
            # In order of the key, as they lie in the file.
            rows = ((self._project, part, key, values[key]) for key in sorted(values))
            connection.executemany(_PUT, rows)

    def get(self, keys: Collection[str]) -> dict[str, list[bytes]]:
        """One statement, and so one state of the file."""
        found: dict[str, list[bytes]] = {key: [] for key in keys}
        with self._named():
            for key, value in self._connection().execute(_GET, (self._project, json.dumps(list(found)))):
                found[key].append(value)
        return found

    def drop(self, part: str) -> None:
        """One transaction."""
        with self._write() as connection:
            self._forget(connection, part)

    def parts(self) -> list[str]:
        """In alphabetical order."""
        asked = "SELECT part FROM parts WHERE project = ? ORDER BY part"
        with self._named():
            return [part for (part,) in self._connection().execute(asked, (self._project,))]

    def close(self) -> None:
        """Close the connections of all threads, none of which may be in the middle of a call."""
        if self._process == os.getpid():
            for connection in self._connections:
                connection.close()
        self._local, self._connections = threading.local(), []

    def _forget(self, connection: sqlite3.Connection, part: str) -> None:
        for table in ("facts", "parts"):
            connection.execute(f"DELETE FROM {table} WHERE project = ? AND part = ?", (self._project, part))

    def _connection(self) -> sqlite3.Connection:
        if self._process != os.getpid():
            # SQLite forbids a forked process the connections of its parent, even to close them.
            self._inherited.append((self._connections, self._local))
            self._local, self._connections, self._process = threading.local(), [], os.getpid()
        if not hasattr(self._local, "connection") or self._local.file != self._file():
            # A file that was deleted or replaced would answer for ever, with what it last held.
            self._local.connection = self._connect()
            self._local.file = self._file()
            self._connections.append(self._local.connection)
        found: sqlite3.Connection = self._local.connection
        return found

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        if mode != "wal" or tables < 2:
            # SQLite may tell one of two that switch a new file to its log at once that it is locked.
            with FileLock(self._path.with_name(self._path.name + ".lock")):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN IMMEDIATE; {_TABLE} COMMIT;")
        return connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._named():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise PerennialError(f"the online store {self._path}: {error}") from error
