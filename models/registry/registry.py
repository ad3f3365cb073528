"""The registry: immutable model versions, their stages, and every change of stage with its reason."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from core.database import connect
from core.errors import IntegrityError, PerennialError
from core.plain import plain
from models.registry import records
from models.registry.files import Files
from models.registry.releases import Release
from models.registry.tables import archives, metadata, versions
from models.registry.versions import Archive, Lineage, Stage, Transition, Version, succession

__all__ = ["Archive", "Lineage", "Registry", "Stage", "Transition", "Version"]

# One writer at a time a project: the row stays locked until the transaction ends.
_LOCK = text("INSERT INTO projects VALUES (:name) ON CONFLICT (name) DO UPDATE SET name = excluded.name")


class Registry:
    """The versions of all projects, in a database at `url`, their files in the folder `store`.

    Every method that changes something is one transaction, and may be called by several
    processes at once. A version is given as itself or by its id.
    """

    def __init__(self, url: str, store: Path) -> None:
        self._engine = connect(url, metadata)
        self._files = Files(store)

    def register(
        self, project: str, family: str, folder: Path, metrics: Mapping[str, Any], lineage: Lineage
    ) -> Version:
        """Keep all files of `folder`, and enter them as a new challenger."""
        return self.enter(project, family, self.keep(folder), metrics, lineage)

    def keep(self, folder: Path) -> dict[str, str]:
        """Copy all files of a folder into the store; their SHA-256 by name.

        Raises PerennialError when the folder holds no file, OSError when the disk takes no more.
        """
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        if not paths:
            raise PerennialError(f"{folder} holds no file to register")
        return {path.relative_to(folder).as_posix(): self._files.add(path) for path in paths}

    def kept(self, digest: str, name: str) -> Path:
        """The path of the kept file of this SHA-256, verified just now; `name` is what errors call it."""
        return self._files.path(digest, name)

    def enter(
        self,
        project: str,
        family: str,
        files: Mapping[str, str],
        metrics: Mapping[str, Any],
        lineage: Lineage,
    ) -> Version:
        """A new challenger of files that are kept; the same files and lineage are the same version.

        Raises IntegrityError when a file is not kept, or not as it was.
        """
        for name, digest in files.items():
            self._files.path(digest, f"{project} {family} {name}")
        facts = {"family": family, "files": dict(files), "lineage": plain(lineage)}
        fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        with self.writing(project) as connection:
            same = versions.c.fingerprint == fingerprint
            if row := connection.execute(records.of(project).where(same)).first():
                return records.version_of(row)
            number = 1 + (connection.scalar(records.of(project, func.max(versions.c.number))) or 0)
            keys = {"project": project, "number": number, "stage": "challenger", "fingerprint": fingerprint}
            connection.execute(insert(versions).values(keys | facts | {"metrics": plain(metrics)}))
            return records.get(connection, f"{project}/{number}")

    def adopt(self, version: Version, other: "Registry") -> Version:
        """Enter a version of another registry, with copies of its files, as a new challenger.

        Raises IntegrityError when one of them is missing there, or is not as it was registered.
        """
        for name, digest in version.files.items():
            self._files.add(other._files.path(digest, f"{version} {name}"))
        return self.enter(version.project, version.family, version.files, version.metrics, version.lineage)

    def versions(self, project: str) -> list[Version]:
        """All versions of a project, the oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(records.of(project).order_by(versions.c.number))
            return [records.version_of(row) for row in rows]

    def made_from(self, project: str, fingerprint: str) -> Version | None:
        """The first version whose metrics say that it was `made_from` this; None where there is none."""
        said = versions.c.metrics["made_from"].as_string() == fingerprint
        query = records.of(project).where(said).order_by(versions.c.number)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
            return records.version_of(row) if row else None

    def version(self, version: Version | str) -> Version:
        """The version as it stands now; PerennialError when there is none of this id."""
        with self._engine.connect() as connection:
            return records.get(connection, str(version))

    def champion(self, project: str) -> Version | None:
        """The project's champion, or None while it has none."""
        with self._engine.connect() as connection:
            return records.champion(connection, project)

    def transitions(self, project: str) -> list[Transition]:
        """Every change of stage in a project, the oldest first."""
        with self._engine.connect() as connection:
            return records.history(connection, project)

    def releases(self, project: str) -> list[Release]:
        """Every release of a project, the oldest first; the last is in force."""
        with self._engine.connect() as connection:
            return records.released(connection, project)

    def file(self, version: Version | str, name: str) -> Path:
        """The path of a version's file, verified just now; it must not be written to.

        Raises PerennialError when the version has no such file, IntegrityError when the file is
        missing or its content is no longer what was registered.
        """
        found = self.version(version)
        if name not in found.files:
            raise PerennialError(f"{found} has no file {name!r}, but {', '.join(sorted(found.files))}")
        return self._files.path(found.files[name], f"{found} {name}")

    def promote(
        self,
        version: Version | str,
        *,
        over: Version | str | None,
        why: str,
        evidence: Mapping[str, Any],
        at: datetime,
        by: str,
    ) -> Version:
        """Make a version the champion in place of `over`, the one it was judged against, which retires.

        Promoting the present champion changes nothing. Raises IntegrityError when another than
        `over` is champion by now: then the evidence speaks of the wrong model.
        """
        project = records.project_of(version)
        with self.writing(project) as connection:
            found, champion = records.get(connection, version), records.champion(connection, project)
            if champion != found and str(champion) != str(over):
                now = champion or "no version"
                raise IntegrityError(
                    f"{found} was judged against {over}, but {now} is champion: judge it again"
                )
            facts = {"action": "promote", "why": why, "evidence": plain(evidence), "at": at, "by": by}
            return records.crown(connection, found, champion, facts)

    def rollback(
        self,
        project: str,
        *,
        to: Version | str | None = None,
        over: Version | str | None = None,
        why: str,
        evidence: Mapping[str, Any] = MappingProxyType({}),
        at: datetime,
        by: str,
    ) -> Version:
        """Make an earlier champion champion again: `to`, or else the one before the present one.

        Give `to` where the call may be repeated: without it, each call goes one step further back.
        Raises PerennialError when `to` never was champion, or when none was before; IntegrityError when
        neither it nor `over`, the one that the evidence speaks of, is champion by now.
        """
        with self.writing(project) as connection:
            champion, history = records.champion(connection, project), records.history(connection, project)
            target = str(to) if to else next(iter(succession(history)[-2::-1]), None)
            if over is not None and str(champion) not in (str(over), target):
                raise IntegrityError(
                    f"{target} was judged against {over}, but {champion or 'no version'} is champion: "
                    "judge it again"
                )
            past = dict.fromkeys(change.version for change in history if change.after == "champion")
            if target not in past:
                raise PerennialError(
                    f"{project} cannot roll back to {target or 'before its first champion'}: "
                    f"its champions so far were {', '.join(past) or 'none'}"
                )
            facts = {"action": "rollback", "why": why, "evidence": plain(evidence), "at": at, "by": by}
            return records.crown(connection, records.get(connection, target), champion, facts)

    def accept(
        self, version: Version | str, *, why: str, evidence: Mapping[str, Any], at: datetime, by: str
    ) -> Version:
        """Put on record that the gate let a challenger through, which takes the traffic over by steps."""
        with self.writing(records.project_of(version)) as connection:
            found = records.get(connection, version)
            facts = {"action": "accept", "why": why, "evidence": plain(evidence), "at": at, "by": by}
            records.note(connection, found, facts)
            return found

    def retire(
        self, version: Version | str, *, why: str, evidence: Mapping[str, Any], at: datetime, by: str
    ) -> Version:
        """Retire a challenger, as one that the gate refused; a retired version stays as it is.

        Raises PerennialError for the champion: promote another or roll back instead.
        """
        with self.writing(records.project_of(version)) as connection:
            found = records.get(connection, version)
            records.require_out_of_use(connection, found)
            facts = {"action": "retire", "why": why, "evidence": plain(evidence), "at": at, "by": by}
            return records.move(connection, found, "retired", facts)

    def require_out_of_use(self, version: Version | str) -> None:
        """PerennialError for a version that serves, or has a part in the release."""
        with self._engine.connect() as connection:
            records.require_out_of_use(connection, records.get(connection, version))

    def archive(self, version: Version | str, sha256: str, *, why: str, at: datetime, by: str) -> Archive:
        """Retire a version, unless it is, and put on record that the file of this SHA-256 holds it whole.

        An archived version stays as it was archived first. Raises PerennialError for the champion.
        """
        with self.writing(records.project_of(version)) as connection:
            found = records.get(connection, version)
            records.require_out_of_use(connection, found)
            key = {"project": found.project, "number": found.number}
            if row := connection.execute(select(archives).filter_by(**key)).first():
                return records.archive_of(row)
            facts = {"why": why, "at": at, "by": by}
            evidence = {"archive": sha256, "tables": dict(found.lineage.tables)}
            records.move(connection, found, "retired", {"action": "retire", "evidence": evidence, **facts})
            tables = dict(found.lineage.tables)
            connection.execute(insert(archives).values(key | facts | {"sha256": sha256, "tables": tables}))
            return Archive(found.id, sha256, tables, at, by, why)

    def named(self) -> dict[str, set[str]]:
        """By the SHA-256 of each file that versions of any project name: the ids of those versions."""
        query = select(versions.c.project, versions.c.number, versions.c.files)
        found: dict[str, set[str]] = {}
        with self._engine.connect() as connection:
            for project, number, files in connection.execute(query):
                for digest in files.values():
                    found.setdefault(digest, set()).add(f"{project}/{number}")
        return found

    def stored(self) -> dict[str, Path]:
        """The files of the store by their SHA-256, whoever names them; not verified."""
        return self._files.stored()

    def archives(self, project: str) -> list[Archive]:
        """What was archived of a project, the oldest version first."""
        query = select(archives).filter_by(project=project).order_by(archives.c.number)
        with self._engine.connect() as connection:
            return [records.archive_of(row) for row in connection.execute(query)]

    @contextmanager
    def writing(self, project: str) -> Iterator[Connection]:
        """A transaction in which nobody else changes anything of the project."""
        with self._engine.begin() as connection:
            connection.execute(_LOCK, {"name": project})
            yield connection
