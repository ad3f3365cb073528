"""Texts that differ in many rare words are told apart, and days that always differed are no drift."""

import numpy as np
import polars as pl
import pytest

from core.spec import Monitoring
from models.rows import Columns
from monitoring.drift.drift import Drift, feature_drift
from monitoring.drift.told_apart import MOST, Texts, told_apart

pytestmark = pytest.mark.slow

WORDS = np.array(
    [f"word{chr(97 + place // 26 % 26)}{chr(97 + place % 26)}{place // 676}" for place in range(1_200)]
)
CALM = Drift("remark", "psi", 0.03, 0.2, False, "length 0.010; words 0.030")


def texts(days: int, seed: int, words: tuple[int, int] = (0, 600), topics: int = 0, each: int = 40) -> Texts:
    """Texts of eight words; where there are topics, each day has one, whose words are half of its texts'."""
    random = np.random.default_rng(seed)
    said, when = [], []
    for day in range(days):
        topic = random.integers(0, topics) if topics else 0
        for _ in range(each):
            picked = random.integers(*words, 8)
            if topics:
                picked[:4] = 600 + 20 * topic + random.integers(0, 20, 4)
            said.append(" ".join(WORDS[picked]))
            when.append(day)
    return Texts(pl.Series(said, dtype=pl.String), pl.Series(when, dtype=pl.Int64))


def test_other_rare_words_are_told_apart_where_no_bin_sees_them() -> None:
    before, now = texts(40, 0), texts(12, 1, words=(300, 900))
    frames = [pl.DataFrame({"remark": side.texts}) for side in (before, now)]
    (binned,) = feature_drift(*frames, Columns((), (), ("remark",)), Monitoring(min_rows=100))
    assert not binned.drifted
    found = told_apart(binned, before, now)
    assert (found.drifted, found.method) == (True, "told apart")
    assert found.value is not None and found.value > 0.4
    assert found.note.startswith(f"told apart {found.value:.3f} (limit 0.2")


def test_texts_like_those_before_are_not() -> None:
    found = told_apart(CALM, texts(40, 0), texts(12, 1))
    assert not found.drifted
    assert (found.value, found.method) == (CALM.value, "psi")


def test_days_that_always_had_topics_of_their_own_are_no_drift() -> None:
    """A week tells itself from the others by its topics, as any week of the reference would."""
    assert not told_apart(CALM, texts(40, 0, topics=25), texts(5, 1, topics=25)).drifted


def test_rows_of_one_day_are_never_on_both_sides() -> None:
    """Of one day alone nothing is told: what is special of it would be taken for a drift."""
    assert told_apart(CALM, texts(40, 0), texts(1, 1, words=(300, 900), each=400)) == CALM
    assert told_apart(CALM, texts(3, 0), texts(9, 1, words=(300, 900))) == CALM


def test_the_same_again_tells_the_same_and_a_drift_by_bins_stays_one() -> None:
    before, now = texts(20, 0), texts(9, 1, words=(300, 900))
    assert told_apart(CALM, before, now) == told_apart(CALM, before, now)
    seen = Drift("remark", "psi", 0.5, 0.2, True)
    assert (told_apart(seen, before, now).method, told_apart(seen, before, now).value) == ("psi", 0.5)


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_texts_without_words_break_nothing(nothing: str | None) -> None:
    before, now = texts(20, 0), texts(9, 1)
    silent = Texts(pl.Series([nothing] * len(now.texts), dtype=pl.String), now.days)
    assert told_apart(CALM, before, silent).note != CALM.note
    assert told_apart(CALM, silent, now).feature == "remark"


def test_samples_are_bounded() -> None:
    many = Texts(pl.Series(["a word"] * (3 * MOST)), pl.Series(range(3 * MOST)))
    assert len(many.some.texts) == len(many.some.days) == MOST
