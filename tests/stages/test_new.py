"""A project is proposed from a table, written whole or not at all, and lives."""

import errno
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.errors import SpecError
from core.projects import Project, load, names
from core.settings import CHECKOUT, Settings
from proposal.ask import Ask
from proposal.functions_text import functions_text, guessed
from stages.proposal.new import Written, propose_project
from tests.proposal.tables import ROWS, knowing, orders, plan_of


def settings_of(folder: Path) -> Settings:
    return Settings(home=folder / "home", projects=folder / "projects", suites=folder / "expectations")


def propose(folder: Path, table: pl.DataFrame, time: str | None = "at", label: str = "back") -> Written:
    """The project that is proposed for a table, in a folder of its own."""
    for name in ("projects", "expectations"):
        (folder / name).mkdir()
    table.write_csv(folder / "orders.csv")
    return propose_project(Ask("orders", "orders.csv", label, time), settings_of(folder), folder)


def loaded(folder: Path) -> Project:
    return load("orders", settings_of(folder))


@pytest.fixture(scope="module")
def knows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """A project from a table with columns that know the label."""
    folder = tmp_path_factory.mktemp("knows")
    return folder, propose(folder, knowing(orders()))


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """A project from a table without a time, whose columns have awkward names."""
    folder = tmp_path_factory.mktemp("counted")
    awkward = {"price": "Größe (cm)", "city": 'Stadt, "alt"', "back": "zurück?"}
    table = orders().drop("at", "order").rename(awkward).with_columns(
        pl.Series(":odd", range(ROWS)), pl.Series("batch", ["b"] * ROWS),
        probability=pl.col("Größe (cm)") * 2,
    )  # fmt: skip
    return folder, propose(folder, table.with_columns(label=-pl.col("Größe (cm)")), None, "zurück?")


def test_what_is_written_is_a_project_whose_suite_keeps_its_own_table(knows: tuple[Path, Written]) -> None:
    folder, written = knows
    spec = loaded(folder).spec
    assert (spec.problem, spec.outcome.known_at, spec.metric) == ("binary", "returned_at", "log_loss")
    assert sum(each.accepted for each in written.rehearsal.ingested) == ROWS
    assert not any(each.stopped for each in written.rehearsal.ingested)
    assert written.suite.read_text().startswith("# Proposed for orders")
    readme = (written.folder / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in (*spec.features, "refunded", "reason"))
    assert sorted(path.name for path in folder.iterdir()) == [
        "expectations",
        "home",
        "orders.csv",
        "projects",
    ]
    assert not list((folder / "home").glob("new-*"))


def test_a_suspected_leak_stands_at_its_line_and_comes_back_when_its_mark_is_taken(
    knows: tuple[Path, Written],
) -> None:
    folder, written = knows
    assert not {"refunded", "reason", "is_back"} & set(loaded(folder).spec.features)
    path, line, text = next(each for each in written.decisions if "'refunded'" in each[2])
    before = path.read_text()
    lines = before.splitlines()
    assert lines[line - 1].startswith("  # refunded: {") and "tells the label" in text
    lines[line - 1] = lines[line - 1].replace("  # ", "  ", 1)
    try:
        path.write_text("\n".join(lines) + "\n")
        assert "refunded" in loaded(folder).spec.features
    finally:
        path.write_text(before)


def test_a_column_that_is_taken_for_when_the_label_is_known_is_told_at_its_line(
    knows: tuple[Path, Written],
) -> None:
    _, written = knows
    path, line, text = next(each for each in written.decisions if "'returned_at'" in each[2])
    assert path.read_text().splitlines()[line - 1] == "  known_at: returned_at" and "is taken for" in text
    assert not any(path.name == "functions.py" for path, _, _ in written.decisions)


def test_without_a_time_it_says_so_and_drift_is_not_watched(counted: tuple[Path, Written]) -> None:
    folder, written = counted
    spec = loaded(folder).spec
    assert spec.batches.rows is not None and spec.monitoring.drift is None
    path, line, text = written.decisions[0]
    assert "without a TIME" in text and path.read_text().splitlines()[line - 1] == "batches:"
    assert spec.features.keys() == {"Grosse_cm", "Stadt_alt", "probability_value", "label_value"}
    assert written.plan.table.unusable.keys() == {":odd", "batch"}


def test_its_functions_are_written_as_the_formatter_has_them(tmp_path: Path) -> None:
    when = pl.col("at").dt.strftime("%d/%m/%Y %H:%M")
    came = pl.when(pl.col("back") == 1).then(pl.lit('in "pieces"')).otherwise(pl.lit("whole"))
    table = orders().drop("order").with_columns(when.alias("at"), came.alias("how it came"))
    plan = plan_of(table.drop("back"), tmp_path, "how it came")
    path = tmp_path / "functions.py"
    path.write_text(functions_text(plan))
    for command in (["format", "--check"], ["check"]):
        config = ["--config", str(CHECKOUT / "pyproject.toml")]
        ruff = [sys.executable, "-m", "ruff", *command, *config, str(path)]
        run = subprocess.run(ruff, capture_output=True, check=False)
        assert run.returncode == 0, path.read_text()
    guess = guessed(plan)
    assert guess is not None and f"known {plan.known.after} after its event: a guess" in guess.text
    assert "+ pl.duration(" in path.read_text().splitlines()[guess.line - 1]


def test_what_is_there_stays_and_a_wrong_name_is_refused(knows: tuple[Path, Written]) -> None:
    folder, written = knows
    before = (written.folder / "project.yaml").read_text()
    with pytest.raises(SpecError, match="is there already"):
        propose_project(Ask("orders", "orders.csv", "back", "at"), settings_of(folder), folder)
    assert (written.folder / "project.yaml").read_text() == before
    for name in ("Orders", "1st", "a-b", "../orders", "a" * 60):
        with pytest.raises(SpecError, match="lower-case letters"):
            propose_project(Ask(name, "orders.csv", "back", "at"), settings_of(folder), folder)


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("write_text", OSError(errno.ENOSPC, "No space left on device")),
        ("rename", PermissionError(errno.EACCES, "Permission denied")),
        ("rename", KeyboardInterrupt()),
    ],
)
def test_what_fails_half_way_leaves_nothing(
    method: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second folder fails: what a kill would have left then is no project, either."""
    done, calls = getattr(Path, method), []
    settings = settings_of(tmp_path)

    def fail(path: Path, *arguments: Any, **more: Any) -> Any:
        if settings.home not in path.parents:
            calls.append(path)
        if len(calls) == 2:
            assert names(settings) == []
            raise error
        return done(path, *arguments, **more)

    monkeypatch.setattr(Path, method, fail)
    with pytest.raises(type(error)):
        propose(tmp_path, orders(400))
    monkeypatch.undo()
    assert len(calls) == 2
    assert list(settings.projects.iterdir()) == list(settings.suites.iterdir()) == []


@pytest.mark.slow
def test_what_was_proposed_lives_through_its_history(
    knows: tuple[Path, Written], inhabit: Callable[[Settings], AbstractContextManager[None]]
) -> None:
    """As it was written, with nothing edited: ingested, fitted, gated, scored and judged."""
    from flows.lifecycle import lifecycle
    from stages.reports.lifecycle import summary
    from stages.workspace import open_workspace

    folder, _ = knows
    settings, as_of = settings_of(folder), datetime(2020, 6, 20, tzinfo=UTC)
    with inhabit(settings):
        lifecycle("orders", as_of)
        facts = summary(open_workspace("orders", settings), as_of)
    assert sum(batch["accepted"] for batch in facts["batches"]) == (orders()["at"].dt.month() < 6).sum()
    assert not any(batch["stopped"] for batch in facts["batches"])
    assert facts["versions"]
    assert any(
        "promoted" in reason or "refused" in reason
        for batch in facts["batches"]
        for reason in batch["reasons"]
    )
