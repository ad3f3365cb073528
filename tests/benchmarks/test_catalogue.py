"""Who chooses from a whole catalogue is judged by all that was chosen, found or not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from benchmarks.baselines import Benchmark
from benchmarks.catalogue import meeting
from benchmarks.meeting import CHAMPION, Meeting
from core.errors import IntegrityError
from tests.stages.visits import AS_OF, Cinema, visits

Floats = NDArray[np.float64]
LIST = ["user", "at"]
SCORED = ("2013-03", "2013-04")
Called = list[tuple[pl.DataFrame, pl.DataFrame]]


def popular(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
    times = known.group_by("film").len().sort("film")["len"]
    return np.tile(times.to_numpy().astype(np.float64), (asks.height, 1))


def had_again(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
    """What was had before all else, then by name."""
    films = known["film"].unique().sort().to_list()
    had = [[film in past for film in films] for past in map(set, asks["past"].to_list())]
    return np.array(had, np.float64) - np.arange(len(films)) * 1e-6


@pytest.fixture(scope="module")
def cinema(tmp_path_factory: pytest.TempPathFactory) -> Cinema:
    """A project of which two months are scored, by a champion that keeps to the retriever's order."""
    found = Cinema(tmp_path_factory.mktemp("cinema"))
    found.deliver(visits())
    found.live()
    workspace = found.open()
    for month in SCORED:
        rows = found.table("features", month)
        said = rows.select(*LIST, "film", "event_time", prediction=-pl.col("place").cast(pl.Float64))
        workspace.lake.write("predictions", month, said)
        workspace.ledger.record("score", month, "made", {"version": "visits/1"}, AS_OF)
    return found


@pytest.fixture(scope="module")
def called() -> Called:
    return []


@pytest.fixture(scope="module")
def met(cinema: Cinema, called: Called) -> Meeting:
    def watched(known: pl.DataFrame, asks: pl.DataFrame) -> Floats:
        called.append((known, asks))
        return popular(known, asks)

    return meeting(cinema.open(), Benchmark(Path("b.py"), {"popular": watched, "had": had_again}))


def by_hand(shown: list[str], chosen: dict[str, int]) -> float:
    """The nDCG at 10 of a list."""
    discount = 1 / np.log2(np.arange(2, 12))
    gains = np.array([2 ** chosen.get(film, 0) - 1 for film in shown[:10]])
    best = 2 ** np.sort(list(chosen.values()))[::-1][:10].astype(float) - 1
    return float((gains * discount[: len(gains)]).sum() / (best * discount[: len(best)]).sum())


def test_every_list_is_judged_by_all_that_was_chosen_of_it(cinema: Cinema, met: Meeting) -> None:
    chosen: dict[tuple[object, object], dict[str, int]] = {}
    for month in SCORED:
        for user, at, film, grade in cinema.table("raw/visits", month).select(*LIST, "film", "grade").rows():
            chosen.setdefault((user, at), {})[film] = grade
    lists = pl.concat([cinema.table("features", month) for month in SCORED]).sort(*LIST, "place")
    shown = {key: part["film"].to_list() for key, part in lists.group_by(LIST, maintain_order=True)}
    expected = np.mean([by_hand(shown[key], grades) for key, grades in chosen.items()])
    found = met.measures(CHAMPION)
    assert found["lists"] == len(chosen)
    assert found["ndcg"] == pytest.approx(expected)


def test_a_baseline_shows_the_first_of_the_whole_catalogue(cinema: Cinema, met: Meeting) -> None:
    month = SCORED[0]
    events, start = cinema.table("raw/visits"), cinema.open().batch(month).start
    known = events.filter(pl.col("seen") <= start)
    times = dict(known.group_by("film").len().iter_rows())
    expected = []
    for (user, at), part in events.filter(batch=month).group_by(LIST):
        had = set(events.filter(pl.col("user") == user, pl.col("seen") <= at)["film"])
        open_to = sorted(set(times) - had, key=lambda film: (-times[film], film))
        expected.append(by_hand(open_to, dict(part.select("film", "grade").iter_rows())))
    first = dict(met.by_batch())[month]
    assert first.measures("popular")["ndcg"] == pytest.approx(np.mean(expected))


def test_a_baseline_knows_nothing_of_the_batch_but_who_asks(
    cinema: Cinema, met: Meeting, called: Called
) -> None:
    for month, (known, asks) in zip(SCORED, called, strict=True):
        assert (known["known_at"] <= cinema.open().batch(month).start).all()
        assert known["label"].null_count() == 0
        assert set(asks.columns) == {*LIST, "decision_time", "past"}


def test_what_was_had_is_shown_by_nobody(met: Meeting) -> None:
    assert met.measures("had")["ndcg"] < met.measures("popular")["ndcg"]
    chosen = met.rows.filter(pl.col("label") > 0)
    assert met.rows["popularity"].is_between(0, 1).sum() == met.rows["popularity"].count()
    assert 0 < chosen["popularity"].null_count() < chosen.height  # films that were new in their month


def test_without_predictions_there_is_nothing_to_compare(tmp_path: Path) -> None:
    bare = Cinema(tmp_path)
    with pytest.raises(IntegrityError, match="nothing is to be compared"):
        meeting(bare.open(), Benchmark(Path("b.py"), {"popular": popular}))
