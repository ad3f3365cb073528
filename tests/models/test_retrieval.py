"""The retriever: learnt from what was chosen, saved, exported, and the same in all its forms."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.candidates import Candidates
from core.errors import UnfitError
from models.retrieval.fit import fit, newest, words
from models.retrieval.graph import answers, graph, parity
from models.retrieval.measures import recall
from models.retrieval.pasts import Pasts
from models.retrieval.retriever import HISTORY, NONE, WIDTH, Retriever, load
from models.runtime.session import session

NOON = datetime(2013, 4, 1, 12, tzinfo=UTC)
RULES = Candidates(item="film", by=("user",), about=("kind",), count=10)


def facts(users: int = 60, films: int = 80, each: int = 30, seed: int = 1) -> pl.DataFrame:
    """Users who choose, an hour apart, films of the kind that they like, and seldom one of another."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        weight = np.where(np.arange(films) % 4 == user % 4, 1.0, 0.02)
        for turn, film in enumerate(random.choice(films, each, replace=False, p=weight / weight.sum())):
            at = NOON - timedelta(hours=each - turn)
            rows.append((user, f"f{film:02}", f"kind {film % 4}", at, at + timedelta(minutes=1)))
    schema = ["user", "film", "kind", "decision_time", "known_at"]
    return pl.DataFrame(rows, schema=schema, orient="row").sort("known_at", "user", "film")


@pytest.fixture(scope="module")
def fitted() -> Retriever:
    return fit(facts(), RULES, NOON, seed=1)


@pytest.fixture
def random_index() -> Retriever:
    random = np.random.default_rng(0)
    popularity, vectors = random.normal(size=300), random.normal(size=(2, 300, WIDTH))
    names = tuple(sorted(f"i{place}" for place in range(300)))
    return Retriever(names, popularity.astype(np.float32), *vectors.astype(np.float32))


def test_the_towers_learn_who_likes_what(fitted: Retriever) -> None:
    kinds = np.array([int(name[1:]) % 4 for name in fitted.items])
    past = np.flatnonzero(kinds == 2)[:5]
    histories = np.full((1, HISTORY), NONE)
    histories[0, :5] = past
    found = fitted.first(histories, [past], 10).items[0]
    assert (kinds[found] == 2).mean() >= 0.9
    assert not set(found) & set(past)


def test_of_one_without_a_past_popularity_alone_decides(fitted: Retriever) -> None:
    found = fitted.first(np.full((1, HISTORY), NONE), [np.empty(0, np.int64)], 10)
    assert found.items[0].tolist() == np.argsort(-fitted.popularity, kind="stable")[:10].tolist()
    assert (found.affinity == 0).all()
    assert np.exp(fitted.popularity).sum() == pytest.approx(1)


def test_popularity_fades() -> None:
    rows = facts(users=2, each=4)
    later = NOON + 4 * RULES.half_life
    more = rows.head(1).with_columns(film=pl.lit("new"), known_at=pl.lit(later))
    found = fit(pl.concat([rows, more]), RULES, later, seed=1)
    assert found.items[int(np.argmax(found.popularity))] == "new"


def test_the_same_facts_and_seed_make_the_same_vectors(fitted: Retriever) -> None:
    again = fit(facts(), RULES, NOON, seed=1)
    for name in ("popularity", "asked", "index"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fitted, name))
    assert fitted.asked.any()


def test_too_few_examples_teach_the_towers_nothing() -> None:
    found = fit(facts(users=3, each=5), RULES, NOON, seed=1)
    assert not found.asked.any()
    assert not found.index.any()


def test_what_is_saved_is_read_back(fitted: Retriever, tmp_path: Path) -> None:
    fitted.save(tmp_path / "retrieval.parquet")
    found = load(tmp_path / "retrieval.parquet")
    assert found.items == fitted.items
    np.testing.assert_array_equal(found.index, fitted.index)
    np.testing.assert_array_equal(found.asked, fitted.asked)
    np.testing.assert_array_equal(found.popularity, fitted.popularity)


def test_the_graph_finds_what_the_retriever_does(random_index: Retriever) -> None:
    random = np.random.default_rng(3)
    exported = session(graph(random_index, 20).SerializeToString(), "retrieval.onnx")
    sizes = (0, 1, 5, HISTORY, HISTORY + 1, 150, 290, 299, 300)
    pasts = [random.choice(300, size, replace=False) for size in sizes]
    assert parity(random_index, exported, pasts, 20) < 1e-4
    items, scores = answers(exported, [[random_index.items[place] for place in past] for past in pasts])
    assert (items[-3] != "").sum() == 10  # so many are left of 300 without 290
    assert np.isneginf(scores[-1]).all()
    assert (items[-1] == "").all()


def test_what_the_index_does_not_know_is_as_if_it_were_not_there(random_index: Retriever) -> None:
    exported = session(graph(random_index, 20).SerializeToString(), "retrieval.onnx")
    items, scores = answers(exported, [["i7", "i9"], ["i7", "never heard of", "i9", ""], ["", "i7", "i9"]])
    assert (items == items[0]).all()
    np.testing.assert_allclose(scores, np.tile(scores[0], (3, 1)), atol=1e-5)


def test_a_graph_of_another_index_is_refused(random_index: Retriever) -> None:
    index = random_index.index.copy()
    index[17] += 0.5
    other = session(graph(replace(random_index, index=index), 300).SerializeToString(), "retrieval.onnx")
    with pytest.raises(UnfitError, match=r"retrieval\.onnx: a score differs"):
        parity(random_index, other, [np.arange(3)], 300)


def test_a_catalogue_has_what_is_newest_about_an_item() -> None:
    rows = facts(users=1, each=2).with_columns(film=pl.lit("a"), kind=pl.Series(["old", "new"]))
    assert newest(rows, RULES).rows() == [("a", "new")]


def test_words_are_of_texts_and_bands_of_numbers() -> None:
    catalogue = pl.DataFrame({"kind": ["Sci-Fi|War", "war", ""], "made": [1950, 2000, None]})
    marks = words(catalogue, ["kind", "made"])
    assert marks.sum(axis=1).tolist() == [3.0, 2.0, 0.0]
    assert (marks[0] * marks[1]).sum() == 1  # war
    assert words(catalogue, []).shape == (3, 0)


def test_pasts_end_where_the_question_is_asked() -> None:
    who, known, items = np.array([1, 2, 1, 1]), np.array([10, 10, 20, 30]), np.array([5, 6, 7, 8])
    past = Pasts.of(who, known, items)
    low, high = past.until(np.array([1, 1, 1, 2, 3]), np.array([9, 10, 29, 99, 99]))
    assert past.last(low, high, 2, NONE).tolist() == [
        [NONE, NONE],
        [NONE, 5],
        [5, 7],
        [NONE, 6],
        [NONE, NONE],
    ]


def test_recall_counts_what_no_catalogue_has_as_missed() -> None:
    found = np.array([[0, 1], [2, NONE]])
    assert recall(found, [np.array([1]), np.array([2, NONE])]) == pytest.approx(0.75)
    assert recall(found, [np.array([0, 1, 2, 3]), np.array([9])]) == pytest.approx(0.5)
    assert np.isnan(recall(found[:0], []))
