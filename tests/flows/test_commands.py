"""The commands behind the make targets: what they print, and how they fail."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from core.settings import CHECKOUT, Settings

pytestmark = pytest.mark.slow

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def settings(make_project: Callable[..., Settings]) -> Settings:
    """A project of which nothing was ingested yet."""
    return make_project(range(1, 3), share=40)


def test_status_is_for_people_and_for_machines(run: Run, settings: Settings) -> None:
    people, machines = run(settings, "status"), run(settings, "status", "--json")
    assert people.returncode == machines.returncode == 0, people.stderr + machines.stderr
    facts = json.loads(machines.stdout)
    assert [batch["batch"] for batch in facts["batches"]] == ["2013-01", "2013-02"]
    assert all(batch["batch"] in people.stdout for batch in facts["batches"])
    assert facts["versions"] == []


def test_an_unknown_project_is_a_sentence(run: Run, settings: Settings) -> None:
    done = run(settings, "status", "--project", "flihgts")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "did you mean 'flights'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_spec_is_a_sentence_with_its_line(run: Run, make_project: Callable[..., Settings]) -> None:
    def misspell(document: dict[str, object]) -> None:
        document["gate"] = {"margni": 0.1}

    done = run(make_project(range(1, 3), share=40, edit=misspell), "demo")
    assert done.returncode == 1
    assert "project.yaml:" in done.stderr and "did you mean 'margin'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_clean_state_leaves_what_is_not_ours(run: Run, settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "lake" / "flights").mkdir(parents=True)
    (home / "registry.db").touch()
    (home / "thesis.txt").touch()
    done = run(Settings(home=home, projects=settings.projects), "clean-state")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]


def test_what_was_ingested_can_be_looked_at_and_judged_by_a_suite_of_its_own(
    run: Run, make_project: Callable[..., Settings], tmp_path: Path
) -> None:
    """Ingest, propose a suite beside the one there is, and write Great Expectations' own pages."""
    settings = make_project(range(1, 3), share=20)
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
    assert "2013-02" in done[0].stdout
    for name in ("flights", "planes"):
        proposed = suites / "flights" / f"{name}.proposed.yaml"
        assert str(proposed) in "".join(each.stdout for each in done)
        assert "expect_table_row_count_to_be_between" in proposed.read_text()
    pages = settings.home / "reports" / "flights"
    assert (pages / "data-docs" / "index.html").is_file()
    assert (pages / "datasets" / "flights" / "index.html").is_file()
    assert "stale" not in done[-1].stdout


def test_without_a_batch_all_that_is_due_is_done(run: Run, make_project: Callable[..., Settings]) -> None:
    def quick(document: dict[str, Any]) -> None:
        calm = {"draws": 200, "confidence": 0.6, "max_calibration_error": 0.5}
        document["training"] = {"first_batches": 2, "families": ["linear"]}
        document["monitoring"] = {"min_rows": 100}
        document["gate"] = document.get("gate", {}) | calm
        document["constraints"] = {"max_latency_ms": 1000}

    settings = make_project(range(1, 4), edit=quick)

    def said(command: str) -> str:
        done = run(settings, command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    early = run(settings, "score")
    assert early.returncode == 1 and "has no champion" in early.stderr and "Traceback" not in early.stderr
    said("ingest")
    assert "retraining 1, retrain stateless: done promoted flights/1" in said("monitor")
    assert "2013-03: " in said("score")
    assert "rows scored by" not in said("score")
    page = Path(said("report").strip())
    assert page == settings.home / "reports" / "flights" / "index.html"
    seconds = json.loads((page.parent / "lifecycle" / "summary.json").read_text())["wall_seconds"]
    before = {path: path.read_bytes() for path in page.parent.rglob("*.html") if "drift" not in path.parts}
    shutil.rmtree(page.parent)
    assert Path(said("report").strip()) == page
    assert {path: path.read_bytes() for path in before} == before
    assert (page.parent / "drift" / "2013-03.html").is_file()
    assert json.loads((page.parent / "lifecycle" / "summary.json").read_text())["wall_seconds"] == seconds > 0
    assert "\n2013-03: " in said("monitor")
    assert said("monitor") == said("score") == "nothing is due\n"
