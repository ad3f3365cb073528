"""Tokens are what the graph finds: of any script, within bounds, and the same beside any other text."""

import numpy as np
import polars as pl
import pytest

from models.learning.grams import Grams, fit_grams, in_grains, telling
from models.learning.losses import Truth
from models.learning.tokens import Tokens, tokens, words_of
from models.onnx.texts import BUCKETS, CHARACTERS, LETTERS, WORDS, disguises
from models.rows import Columns


def read(*said: str | None) -> Tokens:
    """The tokens of some texts."""
    return tokens(pl.DataFrame({"remark": pl.Series(said, dtype=pl.String)}), Columns((), (), ("remark",)))[0]


def numbers(text: str | None) -> list[int]:
    """The numbers of all tokens of one text, by size."""
    found = read(text).all[0]
    return sorted(found[found > 0].tolist())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Stop it, NOW!", ["stop", "it", ",", "now", "!"]),
        ("don't @me #Tag", ["don", "'", "t", "@", "me", "#", "tag"]),
        ("Привет МИР", ["привет", "мир"]),
        ("हिन्दी", ["हिन्दी"]),
        ("猫と犬", ["猫と犬"]),
        ("🛫🛫 👍🏽", ["🛫", "🛫", "👍", "🏽"]),
        ("a\0b", ["a", "\0", "b"]),
        ("e\N{COMBINING ACUTE ACCENT}t", ["e\N{COMBINING ACUTE ACCENT}t"]),
        (" \n\t ", []),
        ("", []),
        (None, []),
    ],
)
def test_words_are_runs_of_letters_and_single_signs(text: str | None, words: list[str]) -> None:
    assert words_of(pl.Series([text], dtype=pl.String)).to_list() == [words]
    found = read(text)
    assert int((found.words > 0).sum()) == len(words)
    letters = max(0, len("".join((text or "").split())) - LETTERS + 1)
    assert len(numbers(text)) == len(words) + max(0, len(words) - 1) + letters


def test_a_number_hangs_on_the_token_alone() -> None:
    texts = ["river", "a river in flood", "", "house " * 90, "x" * 2000, "RIVER", None]
    together = read(*texts)
    for row, text in enumerate(texts):
        found = together.all[row]
        assert sorted(found[found > 0].tolist()) == numbers(text)
    assert numbers("river") == numbers("RIVER")
    assert (together.all >= 0).all()
    assert together.all.max() < BUCKETS


def test_neighbours_are_told_from_each_other_and_their_order() -> None:
    assert set(numbers("not good")) != set(numbers("good not"))
    np.testing.assert_array_equal(read("not good").words[0][:2], read("good not").words[0][:2][::-1])


def test_what_lies_beyond_the_bounds_is_not_read() -> None:
    text = ("river " * 400)[:CHARACTERS]
    assert numbers(text) == numbers(text + " and a ghastly end " * 300)
    assert numbers(" " * CHARACTERS + "ghastly") == []
    many = "ab " * (WORDS + 40)
    assert int((read(many).words > 0).sum()) == WORDS


@pytest.mark.parametrize(
    "disguised",
    [
        "gh4stly",
        "g h a s t l y",
        "GHASTLY",
        "gh\u0430stly",
        "ghàstly",
        "\uff47\uff48\uff41\uff53\uff54\uff4c\uff59",
    ],
)
def test_letters_see_through_disguises(disguised: str) -> None:
    letters = set(numbers("ghastly")) - set(numbers("gha"))
    assert letters - {read("ghastly").words[0][0]} <= set(numbers(disguised))


def test_every_disguise_is_one_sign_for_one_letter() -> None:
    for sign, letter in disguises().items():
        assert len(sign) == len(letter) == 1
        assert letter.isascii()
        assert letter.isalpha()
        assert letter.islower()


def test_what_is_told_of_a_text_is_exact_in_float32() -> None:
    random = np.random.default_rng(0)
    grams = Grams("remark", in_grains(random.normal(0, 20, (BUCKETS, 2))))
    found = read("x" * 900, "river house " * 60, "one")
    exact = np.array(
        [[np.sum(grams.weights[row[row > 0], k], dtype=np.float64) for k in (0, 1)] for row in found.all]
    )
    assert np.abs(exact).max() > 100
    np.testing.assert_array_equal(exact, exact.astype(np.float32))  # no rounding, so no order matters


def test_margins_of_a_fits_own_rows_come_from_weights_that_have_not_seen_them() -> None:
    """A word that is in one row only tells nothing of that row; told by itself it would tell all."""
    random = np.random.default_rng(1)
    labels = (random.random(80) < 0.5).astype(np.float64)
    texts = read(*(f"word{row}" for row in range(80)))
    truth = Truth("logistic", labels[:, None], np.ones(80))
    grams, seen = fit_grams("remark", texts, truth, labels[:, None], np.arange(80) // 20)
    itself = grams.margins(texts)[:, 0]
    assert np.corrcoef(itself, labels)[0, 1] > 0.9
    assert np.corrcoef(seen[:, 0], labels)[0, 1] < 0.5


def test_the_tokens_that_tell_most_are_found() -> None:
    words = ["river", "house", "stone"]
    texts = [f"{words[row % 3]} {'ghastly' if row % 2 else 'fine'}" for row in range(120)]
    found = telling(read(*texts), (np.arange(120) % 2)[:, None].astype(np.float64))
    both = {int(read(word).words[0][0]) for word in ("ghastly", "fine")}
    assert both <= set(found[:24])  # beside the letters of these words, which are as good
    assert int(read("house").words[0][0]) not in found[:24]
