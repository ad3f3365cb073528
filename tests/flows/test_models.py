"""Families that are made of others, tuned parameters, and versions made again and put away, by the flows."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from distributed import Client

from core.settings import Settings
from stages.models.archive import archive_path
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import make_orders

pytestmark = pytest.mark.slow

Run = Callable[..., CompletedProcess[str]]
TRAINING = {
    "families": ["linear", "average", "distilled"],
    "parameters": {
        "lightgbm": {"rounds": 20},
        "average": {"members": ["linear", "lightgbm"]},
        "distilled": {"teacher": "average"},
    },
    "tuning": {"families": ["linear"], "trials": 4, "folds": 2},
}


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, inhabit: Callable[[Settings], AbstractContextManager[None]]
) -> Workspace:
    """Orders whose families were tuned, fitted in waves on the cluster, and sent to the gate."""
    from flows.retrain import retrain

    workspace = make_orders(tmp_path_factory.mktemp("orders"), training=TRAINING)
    matured = workspace.batch("2013-04").end + timedelta(days=1)
    with inhabit(workspace.settings):
        report = retrain("orders", matured)
    assert report.accepted, report.reasons
    return open_workspace("orders", workspace.settings)


def command(run: Run, workspace: Workspace, *arguments: str) -> CompletedProcess[str]:
    settings = workspace.settings
    return run(settings, *arguments, "--project", "orders", suites=settings.suites)


def test_those_that_others_are_made_of_are_fitted_first_and_only_those_asked_for_registered(
    trained: Workspace,
) -> None:
    versions = {each.family: each for each in trained.registry.versions("orders")}
    assert list(versions) == ["linear", "average", "distilled"]
    assert versions["average"].lineage.parameters["lightgbm"] == {"rounds": 20}
    assert set(versions["distilled"].lineage.parameters) == {"linear", "lightgbm", "average", "distilled"}


def test_a_family_that_was_tuned_is_fitted_with_what_was_found_wherever_it_is_part_of(
    trained: Workspace,
) -> None:
    versions = {each.family: each for each in trained.registry.versions("orders")}
    found = trained.ledger.results("tune")
    ((_, search),) = found.items()
    assert len(search["trials"]) == 4
    for version in versions.values():
        assert version.lineage.parameters["linear"] == search["parameters"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_version_is_made_again_to_the_last_bit(run: Run, trained: Workspace, number: int) -> None:
    done = command(run, trained, "reproduce", "--version", f"orders/{number}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same to the last bit" in done.stdout
    assert "holdout log_loss" in done.stdout


def test_what_serves_is_not_retired_and_what_does_not_is_archived(run: Run, trained: Workspace) -> None:
    champion = trained.registry.champion("orders")
    assert champion is not None
    other = next(each for each in trained.registry.versions("orders") if each.id != champion.id)
    refused = command(run, trained, "retire", "--version", champion.id)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{champion.id} is champion" in refused.stderr
    done = command(run, trained, "retire", "--version", other.id)
    assert done.returncode == 0, done.stderr
    assert archive_path(trained, other).is_file()
    assert f"{other.id} is retired, archived in {archive_path(trained, other)}" in done.stdout
    assert [each.version for each in trained.registry.archives("orders")] == [other.id]


def test_a_version_has_to_be_named(run: Run, trained: Workspace) -> None:
    for verb in ("reproduce", "retire"):
        done = command(run, trained, verb)
        assert done.returncode == 1
        assert "which version? Say VERSION=" in done.stderr
    done = command(run, trained, "reproduce", "--version", "orders/99")
    assert "there is no version 'orders/99'; known are: orders/1" in done.stderr


@pytest.fixture
def bent(backends: None) -> Iterator[None]:
    """Linear models whose graph is not what they say, on the workers."""

    def bend(by: float) -> None:
        from models.families import linear

        honest = getattr(linear, "honest", linear.Linear.margins)
        linear.honest = honest  # type: ignore[attr-defined]
        linear.Linear.margins = lambda self, frame: honest(self, frame) + by  # type: ignore[method-assign]

    with Client(os.environ["PERENNIAL_DASK"]) as client:
        client.run(bend, 0.1)
        yield
        client.run(bend, 0.0)


def test_a_family_whose_fit_may_not_serve_is_left_out_with_what_is_made_of_it(
    bent: None,
    tmp_path: Path,
    inhabit: Callable[[Settings], AbstractContextManager[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    from flows.train import train

    families = {"families": ["linear", "lightgbm", "average"], "parameters": TRAINING["parameters"]}
    workspace = make_orders(tmp_path, training=families)
    with inhabit(workspace.settings):
        made = train("orders", workspace.batch("2013-03").end + timedelta(days=1))
    assert [workspace.registry.version(each).family for each in made] == ["lightgbm"]
    assert "linear is left out: no graph of this fit may be served" in caplog.text
