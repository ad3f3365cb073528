"""Rows of the registry as versions, transitions and archives; to be read and moved in one transaction."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, insert, select, update

from core.errors import PerennialError
from models.registry.kept import Kept
from models.registry.releases import Part, Release, parts_of
from models.registry.tables import releases, transitions, versions
from models.registry.versions import Archive, Lineage, Stage, Transition, Version

_METRICS = cast(versions.c.metrics, Text).label("metrics")
_WHOLE = [_METRICS if column is versions.c.metrics else column for column in versions.c]


def of(project: str, *what: Any) -> Select[Any]:
    """A query for `what` of a project's versions, by default all that `version_of` takes."""
    return select(*(what or _WHOLE)).where(versions.c.project == project)


def project_of(version: Version | str) -> str:
    """The project that a version's id names."""
    return str(version).rpartition("/")[0]


def get(connection: Connection, version: Version | str) -> Version:
    """The version of this id; PerennialError, with those that there are, when there is none."""
    project, id_ = project_of(version), str(version)
    numbers = connection.scalars(of(project, versions.c.number).order_by(versions.c.number))
    known = {f"{project}/{number}": number for number in numbers}
    if id_ not in known:
        raise PerennialError(f"there is no version {id_!r}; known are: {', '.join(known) or 'none'}")
    return version_of(connection.execute(of(project).where(versions.c.number == known[id_])).one())


def champion(connection: Connection, project: str) -> Version | None:
    """The champion, or None."""
    row = connection.execute(of(project).where(versions.c.stage == "champion")).first()
    return version_of(row) if row else None


def history(connection: Connection, project: str) -> list[Transition]:
    """Every change of stage, the oldest first."""
    rows = connection.execute(select(transitions).filter_by(project=project).order_by(transitions.c.id))
    return [transition_of(row) for row in rows]


def crown(
    connection: Connection, version: Version, champion: Version | None, facts: Mapping[str, Any]
) -> Version:
    """Make a version champion, and retire the one before it; all that is asked goes to it."""
    if champion == version:
        return version
    if champion:
        move(connection, champion, "retired", facts)
    parts, decided = parts_of(version.id), {**facts, "evidence": {}}
    enter_release(connection, version.project, Release(parts=parts, **decided))
    return move(connection, version, "champion", facts)


def enter_release(connection: Connection, project: str, release: Release) -> Release:
    """Put a release on record, as the one in force from now on; with its number."""
    facts = asdict(release)
    del facts["number"]
    entered = connection.execute(insert(releases).values(facts | {"project": project}))
    return replace(release, number=int((entered.inserted_primary_key or (0,))[0]))


def released(connection: Connection, project: str) -> list[Release]:
    """Every release, the oldest first; those before releases were recorded are told from the champions."""
    rows = connection.execute(select(releases).filter_by(project=project).order_by(releases.c.id)).all()
    found = [release_of(row) for row in rows]
    crowned = [each for each in history(connection, project) if each.after == "champion"]
    if found:
        crowned = [each for each in crowned if each.at < found[0].at]
    return [*(_of_old(each) for each in crowned), *found]


def _of_old(crowned: Transition) -> Release:
    parts = parts_of(crowned.version)
    return Release(parts, crowned.action, crowned.at, crowned.by, crowned.why, {})


def move(connection: Connection, version: Version, stage: Stage, facts: Mapping[str, Any]) -> Version:
    """Change a version's stage, and put that on record; nothing where it is there already."""
    if version.stage != stage:
        key = {"project": version.project, "number": version.number}
        change = {"before": version.stage, "after": stage}
        connection.execute(update(versions).filter_by(**key).values(stage=stage))
        connection.execute(insert(transitions).values(key | change | dict(facts)))
    return replace(version, stage=stage)


def note(connection: Connection, version: Version, facts: Mapping[str, Any]) -> None:
    """Put on record what was decided about a version whose stage stays as it is."""
    key = {"project": version.project, "number": version.number}
    stays = {"before": version.stage, "after": version.stage}
    connection.execute(insert(transitions).values(key | stays | dict(facts)))


def require_out_of_use(connection: Connection, version: Version) -> None:
    """PerennialError for a version that serves, or has a part in the release."""
    if version.stage == "champion":
        raise PerennialError(f"{version} is champion: promote another version or roll back instead")
    release = next(iter(released(connection, version.project)[::-1]), None)
    part = next((part for part in release.parts if part.version == version.id), None) if release else None
    if part:
        raise PerennialError(f"{version} is the {part.role} of the release: end its part first")


def archive_of(row: Row[Any]) -> Archive:
    """A row of archives."""
    return Archive(f"{row.project}/{row.number}", row.sha256, row.tables, row.at, row.by, row.why)


def version_of(row: Row[Any]) -> Version:
    """A row of versions."""
    lineage = Lineage.read(row.lineage)
    return Version(row.project, row.number, row.family, row.stage, row.files, Kept(row.metrics), lineage)


def release_of(row: Row[Any]) -> Release:
    """A row of releases."""
    parts = tuple(Part(**part) for part in row.parts)
    decided = (row.action, row.at, row.by, row.why, row.evidence)
    return Release(parts, *decided, advances=row.advances, test=row.test, number=row.id)


def transition_of(row: Row[Any]) -> Transition:
    """A row of transitions."""
    version = f"{row.project}/{row.number}"
    return Transition(version, row.action, row.before, row.after, row.at, row.by, row.why, row.evidence)
