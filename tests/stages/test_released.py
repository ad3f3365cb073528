"""Batch scoring obeys the release: each entity is answered by its side, and only the champion is judged."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.entities import entities
from models.answers import from_column
from models.registry.releases import Part, Release
from models.registry.releasing import release
from stages import score as scoring
from stages.monitoring.monitor import judge_batch
from stages.score import score, served
from stages.stale import stale_scores
from stages.workspace import Workspace, open_workspace
from tests.stages.orders import fits, lay_orders, make_orders

pytestmark = pytest.mark.slow

FAMILIES = {"families": ["constant", "linear", "lightgbm"], "parameters": {"lightgbm": {"rounds": 20}}}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Three versions from the end of March on: the linear one is champion, the trees are at a third of the
    baskets, the constant is a shadow of all.
    """
    made = make_orders(tmp_path_factory.mktemp("released"), training=FAMILIES, serving={"entity": ["basket"]})
    trained = made.batch("2013-03").end + timedelta(days=1)
    constant, linear, trees = fits(made, trained)
    made.registry.promote(linear, over=None, why="", evidence={}, at=trained, by="tests")
    parts = Part(trees, "canary", 1 / 3), Part(constant, "shadow", 1.0)
    _released(made, *parts, hours=1)
    yield made


def _released(workspace: Workspace, *parts: Part, hours: int) -> Release:
    at = workspace.batch("2013-03").end + timedelta(days=1, hours=hours)
    present = workspace.registry.releases("orders")[-1]
    return release(
        workspace.registry, "orders", *parts, over=present, action="canary", why="", at=at, by="tests"
    )


def test_each_basket_is_answered_by_its_side_and_all_are_scored_by_the_shadow(workspace: Workspace) -> None:
    april = workspace.batch("2013-04")
    scored = score(workspace, april, april.end)
    in_force = workspace.serving(april.end)
    assert scored is not None and in_force is not None
    features = workspace.lake.scan("features", [april.id]).collect()
    predictions = workspace.lake.scan("predictions", [april.id]).collect()
    shadowed = workspace.lake.scan("shadow_predictions", [april.id]).collect()
    assert predictions["id"].to_list() == features["id"].to_list()
    sides = [in_force.part_for(entity).version for entity in entities(workspace.spec, features)]
    assert predictions["version"].to_list() == sides
    assert predictions.group_by("basket").agg(pl.col("version").n_unique())["version"].max() == 1
    for version, own in predictions.group_by("version"):
        model = served(workspace, workspace.registry.version(str(version[0])))
        rows = own.select("basket", "id").join(features, on=["basket", "id"], maintain_order="left")
        np.testing.assert_array_equal(from_column(own["prediction"]), model.predict(rows))
    linear, trees, constant = in_force.versions
    assert shadowed["version"].unique().to_list() == [constant] and shadowed.height == features.height
    assert scored.version == linear and scored.rows == features.height
    assert scored.others == {trees: sides.count(trees), constant: features.height}
    assert 0.2 < sides.count(trees) / len(sides) < 0.5


def test_a_batch_is_scored_once_by_the_release_of_its_time(workspace: Workspace) -> None:
    april = workspace.batch("2013-04")
    first = score(workspace, april, april.end)
    number = workspace.lake.version("predictions")
    assert score(workspace, april, april.end) == first
    assert workspace.lake.version("predictions") == number
    assert not list(stale_scores(workspace, [april]))


def test_another_share_in_force_then_makes_other_predictions(workspace: Workspace) -> None:
    april, in_force = workspace.batch("2013-04"), workspace.serving(workspace.batch("2013-04").end)
    assert in_force is not None
    trees = in_force.versions[1]
    made_from = scoring.made_from_of(workspace, april, in_force)
    wider = Release((*in_force.parts[:1], Part(trees, "canary", 0.9)), "", in_force.at, "", "", {})
    assert scoring.made_from_of(workspace, april, wider) != made_from


def test_only_the_champions_answers_are_judged_as_the_champions(workspace: Workspace) -> None:
    april = workspace.batch("2013-04")
    scored = score(workspace, april, april.end)
    judged = judge_batch(workspace, april, april.end + timedelta(days=1))
    assert scored is not None and judged is not None
    trees = workspace.serving(april.end).versions[1]  # type: ignore[union-attr]
    assert judged.version == scored.version
    assert judged.scored == scored.rows - scored.others[trees]


def test_what_a_shadow_scored_goes_when_the_batch_is_scored_without_it(workspace: Workspace) -> None:
    may = workspace.batch("2013-05")
    score(workspace, may, may.end)
    assert workspace.lake.scan("shadow_predictions", [may.id]).collect().height
    _released(workspace, hours=2)
    scored = score(workspace, may, may.end)
    assert scored is not None and not scored.others
    assert workspace.lake.scan("shadow_predictions", [may.id]).collect().is_empty()
    assert workspace.lake.scan("predictions", [may.id]).collect()["version"].unique().to_list() == [
        scored.version
    ]


def test_an_entity_is_the_key_where_the_spec_says_nothing(tmp_path: Path) -> None:
    frame = pl.DataFrame({"basket": [1, 1], "id": [2, 3]}, schema={"basket": pl.Int32, "id": pl.UInt8})
    spec = open_workspace("orders", lay_orders(tmp_path)).spec
    assert entities(spec, frame) == ["[1,2]", "[1,3]"]
