"""Pages from templates: self-contained, and written whole or not at all."""

import os
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SITE = {
    "Overview": "index.html",
    "History": "lifecycle/index.html",
    "Data": "data/index.html",
    "Models": "models/index.html",
    "Monitoring": "monitoring/index.html",
    "Replay": "replay/index.html",
    "Lineage": "lineage/index.html",
}
"""The pages of a project's site, by what they are called, below the folder of the project."""
_KILO = 1000
NOTHING = "\N{EN DASH}"


def write(path: Path, text: str) -> Path:
    """Replace `path` with `text` (UTF-8) in one step, making its folder, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
    ) as draft:
        try:
            draft.write(text)
            draft.close()
            os.chmod(draft.name, 0o644)
            os.replace(draft.name, path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    return path


def render(template: str, **values: object) -> str:
    """A template of `reports/templates/` with these values; a value that is missing is an error."""
    return environment().get_template(template).render(values)


@cache  # templates are compiled once
def environment(*folders: Path) -> Environment:
    """What finds templates in these folders and in `reports/templates/`, and fills them in."""
    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "measure": measure, "share": share, "size": size}
    environment.filters["instant"] = instant
    environment.globals["site"] = SITE
    return environment


def count(value: float | None) -> str:
    """A whole number with its thousands apart.

    >>> count(336776)
    '336,776'
    """
    return NOTHING if value is None else f"{value:,.0f}"


def measure(value: float | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals; a dash where there is none.

    >>> measure(0.70312)
    '0.703'
    """
    return NOTHING if value is None else f"{value:.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage.

    >>> share(0.1324)
    '13.2%'
    """
    return NOTHING if value is None else f"{value:.{digits}%}"


def instant(text: str) -> str:
    """An instant of ISO 8601 to the minute, in its own zone.

    >>> instant("2013-02-01T05:00:00.123+00:00")
    '2013-02-01 05:00 UTC'
    """
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z").strip()


def size(value: float | None) -> str:
    """Bytes in the unit that reads best (powers of 1000).

    >>> size(999), size(265_000), size(5_210_000)
    ('999 B', '265 kB', '5.2 MB')
    """
    if value is None:
        return NOTHING
    if value < _KILO:
        return f"{value:.0f} B"
    return f"{value / _KILO:.0f} kB" if value < _KILO**2 else f"{value / _KILO**2:.1f} MB"
