"""What several policies make identically is made once, and is each one's own as to its numbering."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from models.registry.versions import Version
from replay.histories import plan
from replay.policies import policies_of
from stages.champion.promote import promote
from stages.models import learn as learning
from stages.models.recalibrate import recalibrate
from stages.models.train import Candidate, register, train
from stages.score import served
from stages.workspace import Workspace
from tests.replay.worlds import TREES, World, make_world
from tests.stages.orders import AS_OF

pytestmark = pytest.mark.slow

# Policies that differ in what no fit hangs on, one that fits from nothing, and one on another window.
OWN = {
    "one": {},
    "watched": {"monitoring": {"min_rows": 50, "every": 2, "opened_by": [], "drift": None}},
    "gated": {"gate": {"gain": 0.5, "newer_margin": 0.3, "max_calibration_error": 0.9}},
    "from nothing": {"training": {"stateful": None}},
    "sliding": {"training": {"window": "40d"}},
    "sliding from the first": {"training": {"window": "60d"}},
}


@dataclass(frozen=True)
class Company:
    """Histories of one replay, of which each fit that is made is counted."""

    world: World
    fitted: list[str]

    def fits(self) -> int:
        """How many files of fits there are."""
        return len(list((self.world.folder / "shared" / "fits").rglob("*.json")))

    def at(self, batch: str) -> datetime:
        return self.world.workspace.batch(batch).end + timedelta(days=1)

    def train(self, policy: str, batch: str, family: str = "lightgbm") -> Candidate:
        return train(self.world.history(policy), family, self.at(batch))

    def crown(self, policy: str, candidate: Candidate, at: datetime) -> Version:
        workspace = self.world.history(policy)
        (version,) = register(workspace, [candidate])
        over = workspace.registry.champion("orders")
        workspace.registry.promote(version, over=over, why="by hand", evidence={}, at=at, by="test")
        return workspace.registry.version(version.id)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: World) -> Company:
    """The fits are counted where a family's own fit is called."""
    from tests.replay.worlds import twin

    fitted, whole = list[str](), learning.fit

    def counted(family: str, *given: object, **named: object) -> object:
        fitted.append(family)
        return whole(family, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(learning, "fit", counted)
    return Company(twin(template, tmp_path), fitted)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "disabled")
        yield make_world(tmp_path_factory.mktemp("world"), own=OWN, training=TREES)


def test_what_policies_fit_identically_is_fitted_once(company: Company) -> None:
    found = [company.train(policy, "2013-02") for policy in ("one", "watched", "gated", "from nothing")]
    assert company.fitted == ["lightgbm"]
    assert company.fits() == 1
    assert all(each == found[0] for each in found)
    assert company.train("sliding", "2013-02").files != found[0].files
    assert company.train("one", "2013-03").files != found[0].files  # more is known by then
    assert len(company.fitted) == company.fits() == 3


def test_a_window_that_leaves_nothing_out_is_none(company: Company) -> None:
    """The first training stands a day after its two months, when their outcomes are in: 60 days."""
    found = company.train("one", "2013-02")
    assert company.train("sliding from the first", "2013-02") == found
    assert company.train("sliding from the first", "2013-03").files != company.train("one", "2013-03").files


@pytest.mark.parametrize(("start", "days"), [(None, 60), ("2013-02", 60), ("2013-03", 62)])
def test_a_sliding_window_begins_with_all_that_there_is(
    template: World, start: str | None, days: int
) -> None:
    found = {each.name: each.changes for each in policies_of(template.workspace.spec, start)}
    assert found["every batch, stateless, sliding"]["training"]["window"] == f"{days}d"


def test_a_history_that_begins_later_has_the_window_of_its_own_first_training(company: Company) -> None:
    sliding = "every batch, stateless, sliding"
    found = plan(company.world.workspace.settings, "orders", AS_OF, sliding, "2013-03")
    assert found.policies[sliding]["training"]["window"] == "62d"


def test_answers_are_computed_once_for_each_file(company: Company) -> None:
    """What is remembered is remembered of a file: another one answers the same rows by itself."""
    one, other = company.train("one", "2013-02"), company.train("one", "2013-03")
    rows = company.world.workspace.lake.scan("features", ["2013-04"]).collect()
    said = []
    for policy in ("one", "watched"):
        workspace = company.world.history(policy)
        said.append([served(workspace, each).predict(rows) for each in register(workspace, [one, other])])
    assert len(list((company.world.folder / "shared" / "answers").rglob("*.npy"))) == 2
    assert (said[0][0] == said[1][0]).all() and (said[0][1] == said[1][1]).all()
    assert (said[0][0] != said[0][1]).any()
    first = register(company.world.history("one"), [one])[0]
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    again = served(company.world.history("one"), first).predict(shuffled)
    place = rows.with_row_index(":at").join(shuffled.with_row_index(":to"), on="id", how="inner")
    assert (again[place[":to"].to_numpy()] == said[0][0][place[":at"].to_numpy()]).all()
    changed = rows.with_columns(pl.col("load") + 3)
    assert (served(company.world.history("one"), first).predict(changed) != said[0][0]).any()


def test_a_fit_that_goes_on_is_shared_from_the_same_champion_alone(company: Company) -> None:
    early, late = company.train("one", "2013-02"), company.train("sliding", "2013-02")
    for policy, made in (("one", early), ("watched", early), ("gated", late), ("from nothing", early)):
        company.crown(policy, made, company.at("2013-02"))
    before = len(company.fitted)
    found = {policy: company.train(policy, "2013-04") for policy in OWN if "sliding" not in policy}
    assert len(company.fitted) - before == 3
    assert company.fits() == len(company.fitted)
    assert found["one"] == found["watched"]
    assert len({_native(found[each]) for each in ("one", "gated", "from nothing")}) == 3
    assert found["from nothing"].lineage.starts == {}


def test_what_a_shared_fit_went_on_from_is_as_each_history_numbers_it(company: Company) -> None:
    made = company.train("one", "2013-02")
    company.crown("one", made, company.at("2013-02"))
    other = company.world.history("watched")
    register(other, [train(other, "constant", company.at("2013-02"))])  # takes the number 1
    assert company.crown("watched", made, company.at("2013-02")).id == "orders/2"
    before = company.fits()
    for policy, number in (("one", 1), ("watched", 2)):
        found = company.train(policy, "2013-04")
        assert found.lineage.starts == {"lightgbm": f"orders/{number}"}
        version = company.crown(policy, found, company.at("2013-04") + timedelta(hours=1))
        assert version.lineage.starts == {"lightgbm": f"orders/{number}"}
        assert company.train(policy, "2013-04").lineage == found.lineage  # from the registry, this time
    assert company.fits() == before + 1
    for policy, number in (("one", 2), ("watched", 3)):
        anew = recalibrate(company.world.history(policy), company.at("2013-05"))
        assert (anew.lineage.keeps, anew.lineage.starts) == (
            f"orders/{number}",
            {"lightgbm": f"orders/{number - 1}"},
        )
    assert company.fits() == before + 2


def test_the_gate_decides_by_each_policys_own_rules(company: Company) -> None:
    """One fit is shared, and what is asked of it is not."""
    made = company.train("one", "2013-02")
    answers = {}
    for policy in ("one", "gated"):
        workspace = company.world.history(policy)
        versions = register(workspace, [made])
        answers[policy] = promote(workspace, [each.id for each in versions], company.at("2013-02"))
    assert company.fitted == ["lightgbm"]
    limits = {policy: _limit(workspace_of(company, policy)) for policy in answers}
    assert limits == {"one": (0.01, 0.5), "gated": (0.5, 0.9)}


def _native(candidate: Candidate) -> str:
    return str([digest for name, digest in candidate.files.items() if name.startswith("native/")])


def workspace_of(company: Company, policy: str) -> Workspace:
    return company.world.history(policy)


def _limit(workspace: Workspace) -> tuple[float, float]:
    return workspace.spec.gate.gain, workspace.spec.gate.max_calibration_error
