"""Housekeeping spares what a release needs, and lets go of the log that is past its retention."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from serving.log.tables import OUTCOMES, PREDICTIONS
from stages.housekeeping.housekeep import housekeep
from stages.housekeeping.housekept import Instants
from stages.release.give import give
from stages.workspace import open_workspace
from tests.stages.shops import NOW, Shop, copy_shop, make_shop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    make_shop(root)
    return root


def with_retention(shop: Shop, **retention: object) -> Shop:
    path = shop.workspace.project.folder / "project.yaml"
    document = yaml.safe_load(path.read_text()) | {"retention": retention}
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    workspace = open_workspace("orders", shop.workspace.settings)
    return Shop(workspace, shop.champion, shop.challenger, shop.refused)


def test_days_of_the_log_go_when_their_retention_is_over(made: Path, tmp_path: Path) -> None:
    shop = with_retention(copy_shop(made, tmp_path / "copy"), served="10d")
    shop.log(20)
    for days, rows in ((9, 20), (11, 0)):
        at = NOW + timedelta(days=days)
        found = housekeep(shop.workspace, "served", Instants(at, datetime.now(UTC)))
        assert not found.faults
        for table in (PREDICTIONS, OUTCOMES):
            assert shop.workspace.lake.scan(table).collect().height == rows
    assert [(line.subject, line.rows) for line in found.lines] == [(PREDICTIONS, 20), (OUTCOMES, 20)]


def test_what_has_a_part_in_the_release_is_neither_retired_nor_archived(made: Path, tmp_path: Path) -> None:
    shop = with_retention(copy_shop(made, tmp_path / "copy"), versions=1)
    give(shop.workspace, shop.refused, "shadow", 1.0, NOW, "tests")
    give(shop.workspace, shop.challenger, "canary", 0.1, NOW, "tests")
    late = datetime(2030, 1, 1, tzinfo=UTC)
    found = housekeep(shop.workspace, "versions", Instants(late, late + timedelta(days=9_000)))
    assert not found.faults
    stages = {each.id: each.stage for each in shop.workspace.registry.versions("orders")}
    assert not shop.workspace.registry.archives("orders")
    assert stages[shop.challenger.id] == "challenger"
