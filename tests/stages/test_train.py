"""Training on tables: from nothing or from the champion, once from the same, and again from lineage alone."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import IntegrityError, PerennialError
from core.settings import Settings
from models.registry.versions import Version
from monitoring.actions import Standing
from stages.champion.promote import promote
from stages.models.archive import archive, archive_path
from stages.models.recalibrate import recalibrate
from stages.models.reproduce import reproduce
from stages.models.train import register, train
from stages.monitoring.standing import standing
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import AS_OF, fits, make_orders, write_spec

pytestmark = pytest.mark.slow

Fork = Callable[..., Workspace]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Orders of five months, ingested and featurised, without a model."""
    return make_orders(tmp_path_factory.mktemp("orders"))


@pytest.fixture
def fork(settled: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fork:
    """Makes a copy of it to be trained on, with changes to its spec."""
    monkeypatch.setenv("WANDB_MODE", "disabled")

    def make(**changes: Any) -> Workspace:
        root = settled.settings.home.parent
        shutil.copytree(root, tmp_path / "copy", dirs_exist_ok=True)
        places = {"home": "state", "projects": "projects", "suites": "expectations"}
        settings = Settings(**{name: tmp_path / "copy" / place for name, place in places.items()})
        write_spec(settings, "binary", **changes)
        return open_workspace("orders", settings)

    return make


def matured(workspace: Workspace, batch: str) -> Any:
    return workspace.batch(batch).end + timedelta(days=1)


def trained(workspace: Workspace, batch: str) -> list[Version]:
    return [workspace.registry.version(each) for each in fits(workspace, matured(workspace, batch))]


def crown(workspace: Workspace, version: Version) -> Version:
    over = workspace.registry.champion("orders")
    at = version.lineage.as_of
    return workspace.registry.promote(version, over=over, why="for the test", evidence={}, at=at, by="test")


def test_from_the_same_nothing_is_fitted_twice(fork: Fork) -> None:
    workspace = fork()
    (first,) = trained(workspace, "2013-02")
    (again,) = trained(workspace, "2013-02")
    assert again == first
    (later,) = trained(workspace, "2013-03")
    assert later.id == "orders/2"
    assert later.lineage.batches == ("2013-01", "2013-02", "2013-03")
    assert later.lineage.learnt_until < later.lineage.trained_until < later.lineage.as_of


@pytest.mark.parametrize("family", ["linear", "lightgbm"])
def test_a_version_is_made_again_to_the_last_bit_whatever_the_spec_says_by_now(
    fork: Fork, family: str
) -> None:
    parameters = {"lightgbm": {"rounds": 20}, "linear": {"strength": 0.2}}
    workspace = fork(training={"families": [family], "parameters": parameters, "half_life": "30d"})
    (version,) = trained(workspace, "2013-03")
    write_spec(workspace.settings, "binary", training={"families": ["linear"], "seed": 5, "window": "20d"})
    found = reproduce(open_workspace("orders", workspace.settings), version)
    assert found.same, found
    assert found.changed == ()
    assert {measure.name for measure in found.measures} >= {"holdout auc", "validation log_loss"}


def test_what_is_not_the_same_to_the_last_bit_is_told(fork: Fork) -> None:
    workspace = fork()
    (version,) = trained(workspace, "2013-03")
    other = replace(version.lineage, parameters={"linear": {"strength": 0.0501}}, packages={"numpy": "1.0"})
    found = reproduce(workspace, replace(version, lineage=other))
    assert not found.same
    assert "holdout log_loss" in {measure.name for measure in found.measures if not measure.same}
    assert any(change.startswith("numpy 1.0 then, ") for change in found.changed)


def test_a_version_whose_tables_are_gone_is_told_in_a_sentence(fork: Fork) -> None:
    workspace = fork()
    (version,) = trained(workspace, "2013-03")
    lost = replace(version.lineage, tables={**version.lineage.tables, "features": 999})
    with pytest.raises(PerennialError, match="features"):
        reproduce(workspace, replace(version, lineage=lost))


def test_an_archive_holds_a_version_whole(fork: Fork) -> None:
    workspace = fork(training={"families": ["linear", "lightgbm"], "parameters": {"lightgbm": {"rounds": 9}}})
    linear, trees = trained(workspace, "2013-03")
    promote(workspace, [linear.id, trees.id], matured(workspace, "2013-03"))
    champion = workspace.registry.champion("orders")
    assert champion is not None
    (other,) = [each for each in (linear, trees) if each.id != champion.id]
    facts = {"why": "out of use", "at": AS_OF, "by": "ann"}
    path, kept = archive(workspace, other, **facts)
    assert kept.tables == other.lineage.tables
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        names = {name.removeprefix("files/") for name in file.namelist() if name.startswith("files/")}
        assert names == set(other.files)
        told = json.loads(file.read("version.json"))
        assert told["version"]["lineage"]["tables"] == dict(other.lineage.tables)
        assert told["transitions"][0]["after"] == "retired"
        assert "card.html" in file.namelist()
    assert archive(workspace, other, **facts) == (path, kept)
    path.write_bytes(b"")
    with pytest.raises(IntegrityError, match="is not what was archived of orders/"):
        archive(workspace, other, **facts)
    with pytest.raises(PerennialError, match="is champion"):
        archive(workspace, champion, **facts)
    assert not archive_path(workspace, champion).exists()


TREES = {"families": ["lightgbm"], "parameters": {"lightgbm": {"rounds": 30}}}


def test_a_stateful_fit_goes_on_from_the_champion_and_every_third_is_from_nothing(fork: Fork) -> None:
    workspace = fork(training=TREES | {"stateful": {"full_every": 3}})
    starts = []
    for batch in ("2013-02", "2013-03", "2013-04", "2013-05"):
        (version,) = trained(workspace, batch)
        assert reproduce(workspace, version).same
        starts.append(version.lineage.starts.get("lightgbm"))
        crown(workspace, version)
    assert starts == [None, "orders/1", "orders/2", None]


def test_a_fit_that_is_to_be_from_nothing_is_where_it_could_go_on(fork: Fork) -> None:
    workspace = fork(training=TREES | {"stateful": {}})
    (first,) = trained(workspace, "2013-02")
    crown(workspace, first)
    as_of = matured(workspace, "2013-03")
    went_on, anew = (train(workspace, "lightgbm", as_of, stateful=each) for each in (True, False))
    assert went_on.lineage.starts == {"lightgbm": first.id}
    assert anew.lineage.starts == {}
    assert anew.metrics["rows"]["train"] > went_on.metrics["rows"]["train"]


def test_why_nothing_can_be_done_about_a_version_is_known(fork: Fork) -> None:
    workspace = fork(training=TREES | {"stateful": {"full_every": 3}})
    (first,) = trained(workspace, "2013-02")
    crown(workspace, first)
    march, april = matured(workspace, "2013-03"), matured(workspace, "2013-04")
    assert standing(workspace, first, march) == Standing(stateful=True)
    assert not standing(workspace, first, first.lineage.as_of).serves  # it was not champion before
    (second,) = trained(workspace, "2013-03")
    (third,) = register(workspace, [recalibrate(workspace, march)])
    for each in (second, third):
        workspace.registry.retire(each, why="refused", evidence={}, at=march, by="test")
    assert standing(workspace, first, march) == Standing(stateful=True)  # as it stood when March was judged
    later = standing(workspace, first, april)
    assert later.no_start == "orders/2, which went on from orders/1, was refused"
    assert later.no_recalibration == ("orders/3, which is orders/1 with another calibration, was refused")
    crown(workspace, third)
    (fourth,) = trained(workspace, "2013-04")
    assert fourth.lineage.starts == {"lightgbm": "orders/3"}
    assert reproduce(workspace, fourth).same
    crown(workspace, fourth)
    found = standing(workspace, fourth, matured(workspace, "2013-05"))
    assert found.no_start is None
    (fifth,) = trained(workspace, "2013-05")
    assert standing(workspace, fifth, AS_OF).no_start == (
        "one fit in 3 is from nothing (training.stateful.full_every)"
    )


def test_a_stateful_fit_learns_what_is_new_and_a_share_of_the_old(fork: Fork) -> None:
    workspace = fork(training=TREES | {"stateful": {"replay": 0.5}})
    (first,) = trained(workspace, "2013-02")
    crown(workspace, first)
    (second,) = trained(workspace, "2013-03")
    (whole,) = trained(fork(training=TREES), "2013-03")
    new = whole.metrics["rows"]["train"] - first.metrics["rows"]["train"]
    assert second.metrics["rows"]["train"] == pytest.approx(1.5 * new, abs=20)
    assert second.lineage.learnt_until == whole.lineage.learnt_until


def test_other_features_or_another_family_are_learnt_from_nothing(fork: Fork) -> None:
    workspace = fork(training=TREES | {"stateful": {}})
    (first,) = trained(workspace, "2013-02")
    crown(workspace, first)
    assert train(workspace, "linear", matured(workspace, "2013-03")).lineage.starts == {}
    kept = {"city": {"from": "row", "column": "city", "kind": "category"}}
    write_spec(workspace.settings, "binary", training=TREES | {"stateful": {}}, features=kept)
    fewer = open_workspace("orders", workspace.settings)
    fewer.spec.features.pop("load")
    assert train(fewer, "lightgbm", matured(fewer, "2013-03")).lineage.starts == {}


def test_a_family_that_cannot_go_on_is_fitted_from_nothing(fork: Fork) -> None:
    workspace = fork(training={"families": ["linear"], "stateful": {}})
    (first,) = trained(workspace, "2013-02")
    crown(workspace, first)
    (second,) = trained(workspace, "2013-03")
    assert second.lineage.starts == {}
