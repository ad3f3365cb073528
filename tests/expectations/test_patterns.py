"""A translated pattern finds in Polars what pandas finds; what cannot be translated is refused."""

import re

import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from expectations.engines.patterns import translated
from expectations.engines.values import NoForm

PIECES = [
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", r"\.", r"\<", "a", "b", "1", " ", "é", "&", "~"),
    *(
        "[ab]",
        "[^a]",
        r"[\d_]",
        r"[^\s]",
        r"[\w.-]",
        "[a&&b]",
        "[a~~1]",
        "[é-ü]",
        r"[\]^]",
        "(a|b)",
        "(?:1|é)",
    ),
    *(
        "^",
        "$",
        ".",
        "*",
        "+",
        "?",
        "??",
        "{2}",
        "{1,2}",
        "{,2}",
        "|",
        "(",
        ")",
        "-",
        r"\Z",
        r"\A",
        "(?P<n>a)",
    ),
    *("(?=a)", "(?<!b)", "(?i:a)", r"(?P=n)", "[[:alpha:]]", "[]a]", r"\u00e9", r"\x41", r"\p{L}"),
]
# Digits, letters and spaces of many scripts; a Kelvin sign and a long s, which fold to ASCII.
TEXTS = [
    *(
        "",
        "a",
        "b",
        "aa",
        "ab1",
        "1",
        "12",
        " ",
        "a b",
        "é",
        "ü",
        "A",
        "AA",
        "_",
        "-",
        ".",
        "<",
        "]",
        "^",
        "&",
    ),
    *(
        "~",
        "a\n",
        "\n",
        "a\nb",
        "\t",
        "\x0b",
        "\x1c",
        "\u0661",
        "\u00b2",
        "\u3000",
        "\u212a",
        "\u017f",
        "日本",
    ),
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["", "(?i)", "(?s)", "(?m)"]), st.lists(st.sampled_from(PIECES), max_size=5))
def test_what_is_translated_finds_the_same(flags: str, pieces: list[str]) -> None:
    pattern = flags + "".join(pieces)
    try:
        re.compile(pattern)
        said = translated(pattern)
    except (re.error, NoForm):
        assume(False)
    found = pl.Series(TEXTS).str.contains(said).to_list()
    assert found == pd.Series(TEXTS, dtype="str").str.contains(pattern).tolist()


@pytest.mark.parametrize(
    "pattern",
    [r"^N[0-9A-Z]{1,5}$", r"^\d{3,4}(?:\.0)?$", r"[\w.-]+@[\w-]+\.[a-z]{2,}", "(?i)^ab|cd$", "a&&b", ""],
)
def test_ordinary_patterns_are_translated(pattern: str) -> None:
    translated(pattern)


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?<!a)b", r"(a)\1", r"\p{L}", "[[:alpha:]]", "a++", "(?x)a b", r"\Z", "a{,3}"]
)
def test_what_pandas_or_rust_reads_otherwise_is_refused(pattern: str) -> None:
    with pytest.raises(NoForm):
        translated(pattern)
