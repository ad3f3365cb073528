"""The commands behind the make targets: what they print, and how they fail."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import CHECKOUT, Settings

pytestmark = pytest.mark.slow


def run(
    settings: Settings, *arguments: str, suites: Path = CHECKOUT / "expectations"
) -> subprocess.CompletedProcess[str]:
    # Not the cluster of this session, whose workers live in another home.
    usual = {
        name: value for name, value in os.environ.items() if not name.startswith(("PERENNIAL_", "PREFECT_"))
    }
    environment = {
        **usual,
        "PERENNIAL_HOME": str(settings.home),
        "PERENNIAL_PROJECTS": str(settings.projects),
        "PERENNIAL_SUITES": str(suites),
    }
    command = [sys.executable, "-m", "flows", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def settings(make_project: Callable[..., Settings]) -> Settings:
    """A project of which nothing was ingested yet."""
    return make_project(range(1, 3), share=40)


def test_status_is_for_people_and_for_machines(settings: Settings) -> None:
    people, machines = run(settings, "status"), run(settings, "status", "--json")
    assert people.returncode == machines.returncode == 0, people.stderr + machines.stderr
    facts = json.loads(machines.stdout)
    assert [batch["batch"] for batch in facts["batches"]] == ["2013-01", "2013-02"]
    assert all(batch["batch"] in people.stdout for batch in facts["batches"])
    assert facts["versions"] == []


def test_an_unknown_project_is_a_sentence(settings: Settings) -> None:
    done = run(settings, "status", "--project", "flihgts")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "did you mean 'flights'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_spec_is_a_sentence_with_its_line(make_project: Callable[..., Settings]) -> None:
    def misspell(document: dict[str, object]) -> None:
        document["gate"] = {"margni": 0.1}

    done = run(make_project(range(1, 3), share=40, edit=misspell), "demo")
    assert done.returncode == 1
    assert "project.yaml:" in done.stderr and "did you mean 'margin'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_clean_state_leaves_what_is_not_ours(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "lake" / "flights").mkdir(parents=True)
    (home / "registry.db").touch()
    (home / "thesis.txt").touch()
    done = run(Settings(home=home, projects=settings.projects), "clean-state")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]


def test_what_was_ingested_can_be_looked_at_and_judged_by_a_suite_of_its_own(
    make_project: Callable[..., Settings], tmp_path: Path
) -> None:
    """Ingest, propose a suite beside the one there is, and write Great Expectations' own pages."""
    settings = make_project(range(1, 4), share=20)
    suites = tmp_path / "suites"
    shutil.copytree(CHECKOUT / "expectations" / "flights", suites / "flights")
    done = [
        run(settings, *command, suites=suites)
        for command in (
            ("ingest",),
            ("suite",),
            ("suite", "--dataset", "planes"),
            ("data-docs",),
            ("status",),
        )
    ]
    assert all(each.returncode == 0 for each in done), [each.stderr for each in done]
    assert "2013-03" in done[0].stdout
    for name in ("flights", "planes"):
        proposed = suites / "flights" / f"{name}.proposed.yaml"
        assert str(proposed) in "".join(each.stdout for each in done)
        assert "expect_table_row_count_to_be_between" in proposed.read_text()
    pages = settings.home / "reports" / "flights"
    assert (pages / "data-docs" / "index.html").is_file()
    assert (pages / "datasets" / "flights" / "index.html").is_file()
    assert "stale" not in done[-1].stdout
