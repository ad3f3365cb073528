"""Lineage names the code that ran: its revision, and whether files differed from it."""

import subprocess
from pathlib import Path

import pytest

from stages.models import lineage


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one file, committed."""
    monkeypatch.setattr(lineage, "CHECKOUT", tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "gate.py").write_text("GAIN = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "--quiet", "-m", "one")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_what_was_committed_is_named_by_its_revision(checkout: Path) -> None:
    assert lineage.revision() == lineage.code() == git(checkout, "rev-parse", "HEAD")


def test_each_edit_is_other_code_and_one_that_is_undone_is_none(checkout: Path) -> None:
    committed, found = lineage.code(), []
    for text in ("GAIN = 2\n", "GAIN = 3\n", "GAIN = 2\n", "GAIN = 1\n"):
        (checkout / "gate.py").write_text(text)
        found.append(lineage.code())
    assert found[0] == found[2] != found[1]
    assert found[3] == committed not in found[:3]
    (checkout / "gate.py").write_text("GAIN = 2\n")
    assert lineage.revision() == f"{committed}-dirty"


def test_outside_git_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "CHECKOUT", tmp_path)
    assert lineage.code() == lineage.revision() == "unknown"
