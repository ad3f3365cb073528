"""W&B reports on the disk: what is to be published, and what was, beside the tracked runs."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from core.errors import PerennialError
from reports.pages import write
from reports.wandb.report import Definition


@dataclass(frozen=True, slots=True)
class Published:
    """A report as a server has it: `digest` is of its definition, `link` what leads there."""

    digest: str
    server: str
    entity: str
    id: str
    link: str


def keep(home: Path, found: Definition) -> Path:
    """Write the definition of a project's report, in place of the one before; its path."""
    return write(_place(home, found["project"]), json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def projects(home: Path) -> list[str]:
    """The projects that have a definition, by name."""
    return sorted(path.stem for path in _place(home, "").parent.glob("[!.]*.json") if "." not in path.stem)


def definition_of(home: Path, project: str) -> tuple[Definition, str]:
    """The definition of a project's report, and its digest.

    PerennialError when it cannot be read.
    """
    path = _place(home, project)
    try:
        content = path.read_bytes()
        return json.loads(content), sha256(content).hexdigest()
    except (OSError, ValueError) as error:
        raise PerennialError(f"{path}: no definition of a report: write it anew ({error})") from error


def published(home: Path, project: str) -> Published | None:
    """How a project's report was published; None when it was not, or nothing can be read of it."""
    try:
        return Published(**json.loads(_record(home, project).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def link(home: Path, project: str) -> str:
    """What leads to a project's report; "" when it was not published."""
    found = published(home, project)
    return found.link if found else ""


def remember(home: Path, project: str, found: Published) -> None:
    """Put on record that a report was published."""
    write(_record(home, project), json.dumps(asdict(found), indent=2) + "\n")


def _place(home: Path, project: str) -> Path:
    return home.resolve() / "wandb" / "reports" / f"{project}.json"


def _record(home: Path, project: str) -> Path:
    return _place(home, f"{project}.published")
