"""A history as it might have been: of other rules, suites or deliveries, and the project as it was."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from core.errors import SpecError
from core.injections import injection
from core.projects import load
from core.worlds import home_of
from replay.history import history
from replay.page import question_of
from replay.plan import folder_of, plan_of
from replay.policies import policies_of, wanted
from replay.world import WHAT_IF, make_world
from stages.data.deliver import deliver, pending
from stages.data.ingest import ingest
from stages.features.featurise import featurise
from stages.workspace import Workspace, open_workspace
from tests.replay.worlds import World
from tests.stages.orders import AS_OF, fits, make_orders

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_orders(tmp_path_factory.mktemp("project"), training={"families": ["linear"]})


def lived(project: Workspace, **how: Any) -> Workspace:
    """The world that is asked for, opened, with all that was delivered there taken in."""
    asked = injection(how["inject"]) if "inject" in how else None
    called = make_world(project.settings, "orders", "other", how.get("changes", {}), how.get("suites"), asked)
    world = open_workspace(called, project.settings)
    batches = world.batches(AS_OF)
    for item in pending(world, "orders", batches):
        deliver(world, "orders", item, AS_OF)
    for batch in batches:
        ingest(world, "orders", batch, AS_OF)
    return world


def rows(workspace: Workspace) -> pl.DataFrame:
    """What was accepted, in order."""
    return workspace.lake.scan("raw/orders").sort("id").collect().drop("row", "row_hash", strict=False)


def test_it_has_a_home_of_its_own_and_the_project_stays_as_it_was(project: Workspace) -> None:
    before, version = rows(project), project.lake.version("raw/orders")
    world = lived(project, changes={"batches": {"every": "1w"}})
    assert len(world.batches(AS_OF)) == 22
    assert rows(world).drop("batch").equals(before.drop("batch"))
    for place in ("home", "lake", "registry", "online"):
        assert str(project.settings.home / "replays") in str(getattr(world.settings, place))
    assert world.spec.alerts == () and world.project.name == "orders" and world.called == "orders@other"
    assert_frame_equal(rows(project), before)
    assert project.lake.version("raw/orders") == version


def test_a_drift_touches_the_rows_that_it_names_and_no_others(project: Workspace) -> None:
    inject = {"kind": "drift", "column": "rain", "add": 2.0, "multiply": 3.0, "since": "2013-04",
              "until": "2013-04", "where": {"city": "Bergen"}}  # fmt: skip
    world, before = rows(lived(project, inject=inject)), rows(project)
    touched = (pl.col("batch") == "2013-04") & (pl.col("city") == "Bergen")
    expected = pl.when(touched).then(pl.col("rain") * 3 + 2).otherwise("rain")
    assert_frame_equal(world.select("id", "rain"), before.select("id", expected))
    assert before.filter(touched).height > 50


def test_a_share_of_the_rows_is_drawn_and_a_value_may_be_any(project: Workspace) -> None:
    inject = {"kind": "drift", "column": "city", "value": "Ghent", "share": 0.25, "since": "2013-05"}
    world = rows(lived(project, inject=inject)).filter(pl.col("batch") == "2013-05")
    assert (world["city"] == "Ghent").mean() == pytest.approx(0.25, abs=0.01)


def test_whole_numbers_stay_whole_and_values_are_what_the_column_holds(project: Workspace) -> None:
    """As a spec's YAML has them: a category that looks like a number, a day for an instant."""
    moved = {"kind": "drift", "column": "grade", "multiply": 1.5, "where": {"late": "true"}}
    world, before = rows(lived(project, inject=moved)), rows(project)
    expected = pl.when(pl.col("late")).then((pl.col("grade") * 1.5).round().cast(pl.Int64)).otherwise("grade")
    assert_frame_equal(world.select("id", "grade"), before.select("id", expected))
    assert (world["grade"] != before["grade"]).any()
    city = {"kind": "drift", "column": "city", "value": 7, "since": "2013-05"}
    assert set(rows(lived(project, inject=city)).filter(pl.col("batch") == "2013-05")["city"]) == {"7"}


def test_in_an_outage_nothing_is_delivered(project: Workspace) -> None:
    called = make_world(
        project.settings, "orders", "other", {}, None,
        injection({"kind": "outage", "since": "2013-03", "until": "2013-03"}),
    )  # fmt: skip
    world = open_workspace(called, project.settings)
    items = {item.batch for item in pending(world, "orders", world.batches(AS_OF))}
    assert items == {"2013-01", "2013-02", "2013-04", "2013-05"}


def test_labels_come_late_and_no_feature_or_label_is_known_before(project: Workspace) -> None:
    inject = {"kind": "late_labels", "by": "10d", "since": "2013-04"}
    world = lived(project, inject=inject)
    april = world.batch("2013-04")
    featurise(world, april, AS_OF)
    known = world.lake.scan("outcomes", ["2013-04"]).sort("id").collect()
    before = project.lake.scan("outcomes", ["2013-04"]).sort("id").collect()
    assert (known["known_at"] - before["known_at"]).unique().to_list() == [timedelta(days=10)]
    march = rows(world).filter(pl.col("batch") == "2013-03")
    assert march.equals(rows(project).filter(pl.col("batch") == "2013-03"))


def test_labels_whose_instant_prepare_makes_come_late_too(tmp_path: Path) -> None:
    """Where the instant is no delivered column, what `prepare` adds is later."""
    project = make_orders(tmp_path, training={"families": ["linear"]})
    folder = project.settings.projects / "orders"
    (folder / "functions.py").write_text(
        "import polars as pl\n\n\ndef add(frame, tables):\n"
        "    return frame.with_columns(told=pl.col('seen') + pl.duration(hours=1))\n"
    )
    text = (folder / "project.yaml").read_text().replace("known_at: seen", "known_at: told")
    (folder / "project.yaml").write_text(
        text.replace("    event_time: at\n", "    event_time: at\n    prepare: add\n")
    )
    assert load("orders", project.settings).spec.outcome.known_at == "told"
    world = lived(open_workspace("orders", project.settings), inject={"kind": "late_labels", "by": "3d"})
    found = rows(world)
    assert (found["told"] - found["seen"]).unique().to_list() == [timedelta(days=3, hours=1)]


def test_a_bad_batch_is_for_the_suite_to_judge(project: Workspace) -> None:
    world = lived(project, inject={"kind": "bad_batch", "column": "id", "share": 0.1, "since": "2013-05"})
    done = world.ledger.result("ingest/orders", "2013-05")
    assert done is not None
    assert done["quarantined"] == pytest.approx(0.1 * done["received"], abs=1)
    assert done["received"] == done["accepted"] + done["quarantined"]


def test_other_suites_judge_the_same_rows(project: Workspace, tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    suite = (project.settings.suites / "orders" / "orders.yaml").read_text()
    stricter = "  - type: expect_column_values_to_be_between\n    severity: warning\n"
    stricter += "    kwargs: {column: rain, max_value: 12}\n"
    (tmp_path / "orders" / "orders.yaml").write_text(f"{suite}{stricter}")
    world = lived(project, suites=str(tmp_path))
    assert rows(world)["rain"].max() <= 12 < rows(project)["rain"].max()  # type: ignore[operator]


def test_changes_of_policies_are_a_policy_on_the_projects_own_tables(project: Workspace) -> None:
    asked = "CHANGE='{gate: {gain: 0.5}}'"
    called = make_world(project.settings, "orders", "stricter", {"gate": {"gain": 0.5}}, question=asked)
    assert question_of(project.settings, called) == asked
    assert question_of(project.settings, "orders") == ""
    world = open_workspace(called, project.settings)
    assert world.lake.path("features") == project.lake.path("features")
    assert world.settings == project.settings and world.spec.gate == project.spec.gate
    policy = next(each for each in policies_of(world.spec) if each.name == WHAT_IF)
    assert policy.changes["gate"] == {"gain": 0.5}


def test_what_is_asked_in_other_words_is_the_same_world(project: Workspace) -> None:
    def made(gain: float, question: str) -> None:
        make_world(project.settings, "orders", "asked", {"gate": {"gain": gain}}, question=question)

    made(0.5, "CHANGE='{gate: {gain: 0.5}}'")
    taken_in = home_of(project.settings, "orders", "asked") / "taken-in"
    taken_in.touch()
    made(0.5, "CHANGE='{gate: {gain: .5}}'")
    assert taken_in.exists()
    made(0.4, "CHANGE='{gate: {gain: 0.4}}'")
    assert not taken_in.exists()


def test_a_version_serves_from_when_it_was_made_on(tmp_path: Path) -> None:
    project = make_orders(tmp_path, training={"families": ["linear"]})
    march = project.batch("2013-03")
    (version,) = fits(project, march.end + timedelta(days=1))
    called = make_world(project.settings, "orders", "alone", {}, serves=version)
    world = open_workspace(called, project.settings)
    plan = plan_of(world, wanted(policies_of(world.spec), WHAT_IF), AS_OF)
    folder = folder_of(project.settings, called)
    plan.write(folder)
    found = World(world, plan, folder).live(WHAT_IF)[WHAT_IF]
    scored = found.ledger.results("score")
    assert list(scored) == ["2013-04", "2013-05"]
    assert {each["version"] for each in scored.values()} == {"orders/1"}
    assert dict(found.registry.version("orders/1").files) == dict(project.registry.version(version).files)
    assert len(history(project.settings, folder, plan, WHAT_IF).registry.versions("orders")) == 1


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"inject": {"kind": "drift", "column": "ran", "add": 1}}, "no column 'ran'; did you mean 'rain'"),
        ({"inject": {"kind": "drift", "column": "rain", "add": 1, "since": "2014-01"}}, "no batch '2014-01'"),
        (
            {"inject": {"kind": "drift", "column": "city", "add": 1}},
            "'city' is of kind string, and no number",
        ),
        (
            {"inject": {"kind": "drift", "column": "at", "multiply": 2}},
            "'at' is of kind datetime, and no number",
        ),
        (
            {"inject": {"kind": "drift", "column": "rain", "value": "wet"}},
            "'rain' is of kind float: 'wet' is no",
        ),
        (
            {"inject": {"kind": "drift", "column": "rain", "add": 1, "where": {"grade": "high"}}},
            "'grade' is of kind integer: 'high' is no such value",
        ),
        (
            {"inject": {"kind": "drift", "column": "rain", "add": 1, "where": {"town": "x"}}},
            "no column 'town'",
        ),
        ({"inject": {"kind": "outage", "dataset": "order"}}, "no dataset 'order'; did you mean 'orders'"),
        ({"changes": {"batches": {"every": "1z"}}}, "batches.every"),
        ({"changes": {"gatte": {}}}, "gatte"),
        ({"changes": {"gate": {"slices": ["rian"]}}}, "gate.slices.0: .*did you mean 'rain'"),
        ({"changes": {"training": {"families": ["linaer"]}}}, "training.families.0: .*'linaer'"),
        (
            {"changes": {"batches": {"every": "1w"}, "training": {"families": ["linaer"]}}},
            "world 'wrong': training.families.0: no family 'linaer'",
        ),
        ({"suites": "nowhere"}, "no folder 'orders'"),
    ],
)
def test_what_cannot_be_is_said_and_made_nowhere(project: Workspace, how: dict[str, Any], why: str) -> None:
    asked = injection(how["inject"]) if "inject" in how else None
    with pytest.raises(SpecError, match=why):
        make_world(project.settings, "orders", "wrong", how.get("changes", {}), how.get("suites"), asked)
    with pytest.raises(SpecError, match="has no world 'wrong'"):
        open_workspace("orders@wrong", project.settings)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"kind": "drft"}, "'drft'"),
        ({"kind": "drift", "column": "rain"}, "add, multiply or value"),
        ({"kind": "bad_batch", "column": "rain", "share": 2}, "share"),
        ({"kind": "late_labels", "by": "never"}, "is no duration"),
        ("drift", "inject"),
    ],
)
def test_an_injection_that_is_none_is_refused_with_what_would_be_right(asked: object, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        injection(asked)
