"""The rooms are general: no file outside a project's own folders knows that it exists."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.projects import names
from core.settings import CHECKOUT, Settings

# What speaks of projects, and is no machinery.
EXEMPT = ("README.md", "CHANGELOG.md", "docs/", "tests/", "benchmarks/", "projects/")
# The one default: whose targets `make` alone runs.
DEFAULT = re.compile(r"^PROJECT \?= \w+$", re.MULTILINE)


def texts() -> Iterator[tuple[str, str]]:
    """Each tracked file that is bound to know no project, and its text."""
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    of_projects = tuple(f"expectations/{name}/" for name in names(Settings()))
    for name in listed.stdout.splitlines():
        if not name.startswith(EXEMPT + of_projects) and (CHECKOUT / name).is_file():
            yield name, Path(CHECKOUT, name).read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("project", names(Settings()))
def test_no_room_knows_a_project(project: str) -> None:
    word = re.compile(rf"\b{re.escape(project)}\b")
    found = {}
    for name, text in texts():
        kept = DEFAULT.sub("", text) if name == "Makefile" else text
        lines = [f"{number}: {line}" for number, line in enumerate(kept.splitlines(), 1) if word.search(line)]
        if lines:
            found[name] = lines
    assert found == {}


def test_the_rooms_are_looked_at() -> None:
    assert {"core/spec.py", "flows/__main__.py", "Makefile", "pyproject.toml"} <= dict(texts()).keys()
