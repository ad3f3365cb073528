"""A scored batch is profiled once, compared with its version's reference, and told when either is damaged."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

import stages.monitoring.profiled
from core.errors import IntegrityError
from core.settings import CHECKOUT
from models.answers import from_column, to_column
from models.registry.versions import Version
from monitoring.drift.drift import answers
from monitoring.profiles.profiling import profile
from stages.champion.promote import promote
from stages.models.references import PROFILES, references, sample
from stages.monitoring.drifts import drifts
from stages.monitoring.profiled import answer_columns, answered, profiled, window
from stages.score import score
from stages.workspace import Workspace
from tests.models.wandb_runs import environment
from tests.stages.orders import fits, make_orders

pytestmark = pytest.mark.slow

JUDGE = """
import gc
import sys
from datetime import datetime
from pathlib import Path

from core.settings import Settings
from monitoring.profiles.frequencies import Frequencies
from stages.monitoring.monitor import judge_batch
from stages.workspace import open_workspace

home, projects, suites = map(Path, sys.argv[1:4])
workspace = open_workspace("orders", Settings(home=home, projects=projects, suites=suites))
judged = judge_batch(workspace, workspace.batch("2013-04"), datetime.fromisoformat(sys.argv[4]))
gc.collect()
print(judged.prediction_drift is not None, [each for each in gc.get_objects() if type(each) is Frequencies])
"""


@dataclass(frozen=True)
class Lived:
    """Orders of five months, with a version that was fitted on three and has answered two."""

    workspace: Workspace
    version: Version
    as_of: datetime


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with environment():
        workspace = make_orders(tmp_path_factory.mktemp("orders"), gate={"max_calibration_error": 0.3})
        trained = workspace.batch("2013-03").end + timedelta(days=1)
        (version,) = fits(workspace, trained)
        assert promote(workspace, [version], trained).accepted
        as_of = workspace.batch("2013-05").end + timedelta(days=1)
        for name in ("2013-04", "2013-05"):
            score(workspace, workspace.batch(name), as_of)
        yield Lived(workspace, workspace.registry.version(version), as_of)


def table(lived: Lived, name: str, batch: str = "2013-04") -> pl.DataFrame:
    return lived.workspace.lake.scan(name, [batch]).collect().sort("feature")


def look(lived: Lived, batch: str = "2013-04") -> tuple[object, ...]:
    return drifts(lived.workspace, lived.workspace.batch(batch), lived.version, lived.as_of)


def test_a_batch_like_those_before_it_has_not_drifted(lived: Lived) -> None:
    moved, shift = drifts(lived.workspace, lived.workspace.batch("2013-04"), lived.version, lived.as_of)
    assert [each.feature for each in moved] == ["rain", "load", "city"]
    assert not any(each.drifted for each in (*moved, shift))
    assert all(each.value is not None and each.value < 0.1 for each in (*moved, shift))


def test_the_reference_is_of_all_fitted_rows_and_of_unseen_answers(lived: Lived) -> None:
    inputs, said = references(lived.workspace, lived.version)
    rows = lived.version.metrics["rows"]
    assert inputs.profiles["rain"].tally.rows == rows["train"] + rows["validation"]
    assert said.profiles["prediction"].tally.rows == rows["holdout"]
    assert inputs.days > 30 and inputs.profiles["rain"].tally.blocks == inputs.days
    assert sample(lived.workspace, lived.version)["event_time"].null_count() == 0


def test_a_batch_is_profiled_once_and_then_read_no_more(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(lived)
    before = [lived.workspace.lake.version(name) for name in ("profiles", "prediction_profiles")]

    def again(*_: object) -> None:
        raise AssertionError("the rows are read a second time")

    monkeypatch.setattr(stages.monitoring.profiled, "profile", again)
    assert look(lived) == first
    assert [lived.workspace.lake.version(name) for name in ("profiles", "prediction_profiles")] == before


@pytest.mark.parametrize(
    ("step", "name"), [("profile", "profiles"), ("profile/predictions", "prediction_profiles")]
)
def test_one_that_was_killed_before_it_was_on_record_ends_in_the_same_rows(
    lived: Lived, step: str, name: str
) -> None:
    first, before = look(lived), table(lived, name)
    lived.workspace.ledger.forget(step, "2013-04")
    assert look(lived) == first
    assert table(lived, name).equals(before)


def test_other_features_or_answers_are_profiled_anew(lived: Lived) -> None:
    """The record names what a profile was made from: the content of the features, and who answered."""
    batch = lived.workspace.batch("2013-05")
    profiled(lived.workspace, batch, lived.as_of)
    before = lived.workspace.lake.version("profiles")
    built = lived.workspace.ledger.result("features", batch.id)
    assert built is not None
    lived.workspace.ledger.record(
        "features", batch.id, built["fingerprint"], built | {"content": "other"}, lived.as_of
    )
    profiled(lived.workspace, batch, lived.as_of)
    assert lived.workspace.lake.version("profiles") == before + 1
    lived.workspace.ledger.record("features", batch.id, built["fingerprint"], built, lived.as_of)


def test_predictions_are_profiled_by_version(lived: Lived) -> None:
    found = answered(lived.workspace, lived.workspace.batch("2013-04"), lived.as_of)["prediction"]
    kept = table(lived, "prediction_profiles")
    assert kept["version"].to_list() == [lived.version.id]
    assert found.tally.rows == lived.workspace.lake.scan("predictions", ["2013-04"]).collect().height
    assert found.tally.blocks == 30


def test_a_window_is_the_merge_of_its_batches(lived: Lived) -> None:
    batches = [lived.workspace.batch(name) for name in ("2013-04", "2013-05")]
    each = [profiled(lived.workspace, batch, lived.as_of)["rain"] for batch in batches]
    found = window(lived.workspace, batches)["rain"]
    assert found.tally.rows == sum(one.tally.rows for one in each)
    assert found.numbers is not None
    rows = lived.workspace.lake.scan("features", [batch.id for batch in batches]).collect()["rain"]
    assert found.numbers.at([0.5]).item() == np.quantile(rows, 0.5, method="lower")


def test_a_process_that_judged_a_batch_ends_without_sketches_and_in_silence(lived: Lived) -> None:
    """Those that are there at the end may outlive their module, which says so in some 80 lines."""
    places = lived.workspace.settings
    given = places.home, places.projects, places.suites, lived.as_of.isoformat()
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, *map(str, given)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True []\n", "")


def test_a_damaged_sketch_stops_with_its_place(lived: Lived) -> None:
    look(lived)
    kept = table(lived, "profiles")
    damaged = kept.drop("batch").with_columns(sketch=pl.lit(b"profile1 and then something else"))
    lived.workspace.lake.write("profiles", "2013-04", damaged)
    try:
        with pytest.raises(IntegrityError, match="table profiles of orders, batch 2013-04, feature 'city'"):
            look(lived)
    finally:
        lived.workspace.lake.write("profiles", "2013-04", kept.drop("batch"))


def test_a_version_of_an_earlier_revision_is_told_in_a_sentence(lived: Lived) -> None:
    old = replace(
        lived.version,
        files={name: hash_ for name, hash_ in lived.version.files.items() if name not in PROFILES.values()},
    )
    with pytest.raises(IntegrityError, match=r"has no inputs.profile.parquet.*make clean-state"):
        drifts(lived.workspace, lived.workspace.batch("2013-04"), old, lived.as_of)


@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("shape", [(50,), (50, 3)])
def test_answers_in_a_table_are_profiled_as_those_in_an_array(shape: tuple[int, ...], values: bool) -> None:
    said = np.random.default_rng(0).random(shape)
    rows, columns = answer_columns(to_column(said).to_frame().lazy(), values)
    expected, same = answers(from_column(to_column(said)), values)
    assert columns == same
    assert rows.collect().equals(expected)
    assert profile(rows, columns).keys() == profile(expected, columns).keys()
