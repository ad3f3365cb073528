"""Free texts inside the graph: from a string to the numbers of its words and of its letters, by hashing.

These nodes are all there is of it: a fit gets its numbers by running them (`models.learning.tokens`).
A token's number depends on its text alone, so that no vocabulary has to be learned, kept or looked up.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.onnx.proto import CONTRIB, ML

# So many characters of a text are read, the rest is not: what one row may cost is bounded.
CHARACTERS = 1_000
# So many of its words. Numbers are from 1 up to BUCKETS, which is left out; 0 stands for no token.
WORDS, BUCKETS = 128, 2**16
# A run of letters, marks and digits is a word, and so is every other sign that is no blank. Where
# scripts leave no blanks between words, the letters say more than the runs.
WORD = r"[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}\s]"
FIRST = rf"(?s)\A.{{1,{CHARACTERS}}}"
# How many letters in a row are a token, and what makes the numbers of words and of letters differ.
LETTERS, OF_WORDS, OF_LETTERS = 4, 0, 1
# What a sum over so many tokens is multiplied by: a longer text says more, but not so much more as it is
# longer. It is a table because a root is not to the last bit the same on every processor.
ROOTS = (1 / np.sqrt(np.arange(2 * WORDS + CHARACTERS).clip(1))).astype(np.float32)
# Signs that are put in the place of letters. The letters of the Cyrillic and the Greek alphabet are
# those that Unicode's confusables.txt has for Latin ones; accents and wide or bold forms it takes apart.
DISGUISES = str.maketrans("04135@7$!|авсеорхуіјѕһԁαεικνορτυχγ", "oaiesatsiiabceopxyijshdaeikvoptuxy")
FORMS = [*range(0xC0, 0x180), *range(0xFF01, 0xFF5F), *range(0x1D400, 0x1D800)]


@dataclass(frozen=True, slots=True)
class Part:
    """Nodes, the constants that they take, and the names of what they give."""

    nodes: tuple[onnx.NodeProto, ...]
    constants: tuple[onnx.TensorProto, ...]
    outputs: tuple[str, ...]


def token_part(column: str, prefix: str) -> Part:
    """A text's tokens: string [n] -> numbers of words int64 [n, W], of all int64 [n, T], words [n, V].

    Words are in order, at most `WORDS` of them. All tokens are these, each two neighbours, and each
    four letters in a row of the text without blanks and disguises. A row is filled up with 0, or "",
    to the length of the longest.
    """
    make = _Maker(prefix)
    text = make("StringConcat", [column, make.text(" ")])  # never empty, for the operators' sake
    text = make("Tokenizer", [text], CONTRIB, mark=0, mincharnum=1, pad_value="", tokenexp=FIRST)
    text = make("Reshape", [text, make.whole([-1])])
    text = make("StringNormalizer", [text], case_change_action="LOWER", locale="C.UTF-8")
    words = make("Tokenizer", [text], CONTRIB, mark=0, mincharnum=1, pad_value="", tokenexp=WORD)
    words = make.cut(words, 0, WORDS)
    first, second = make.cut(words, 0, -1), make.cut(words, 1, None)
    pairs = make("StringConcat", [make("StringConcat", [first, make.text(" ")]), second])
    numbers = make.numbered(words, words, OF_WORDS)
    # A column more, so that a table is never without one: what attention exports to would not run.
    numbers = make("Pad", [numbers, make.whole([0, 0, 0, 1])])
    tokens = [numbers, make.numbered(pairs, second, OF_WORDS), _letters(make, text)]
    return make.part(numbers, make("Concat", tokens, axis=1), words)


def sum_part(tokens: str, weights: NDArray[np.float32], prefix: str) -> Part:
    """The weights [BUCKETS, K] of a text's tokens, added up, by `ROOTS`: int64 [n, T] -> float32 [n, K].

    The weights of 0 have to be 0.
    """
    make = _Maker(prefix)
    found = make("Gather", [make.constant(weights), tokens])
    total = make("ReduceSum", [found, make.whole([1])], keepdims=0)
    count = make("Cast", [make.count(tokens)], to=TensorProto.INT64)
    return make.part(make("Mul", [total, make("Gather", [make.constant(ROOTS), count])]))


def told_part(tokens: Sequence[str], telling: Sequence[int], prefix: str) -> Part:
    """What trees are told of the words and the tokens of a text, int64 [n, W] and [n, T].

    How many there are of either, float32 [n, 1] each; and which of the `telling` tokens are among
    them, 1 or 0, float32 [n, len(telling)], where there are any.
    """
    make = _Maker(prefix)
    counts = [make.count(each) for each in tokens]
    if not telling:
        return make.part(*counts)
    places = list(range(1, len(telling) + 1))
    keys = {"keys_int64s": list(telling), "values_int64s": places, "default_int64": 0}
    place = make("LabelEncoder", [tokens[-1]], ML, **keys)
    rows = make("Shape", [tokens[-1]], end=1)
    nothing = make("Concat", [rows, make.whole([len(places) + 1])], axis=0)
    nothing = make("Expand", [make.constant(np.float32(0)), nothing])
    ones = make("Expand", [make.constant(np.float32(1)), make("Shape", [place])])
    found = make("ScatterElements", [nothing, place, ones], axis=1, reduction="max")
    return make.part(*counts, make.cut(found, 1, None))


def disguises() -> dict[str, str]:
    """The letter that each sign stands for which is written in its place.

    >>> found = disguises()
    >>> [found[sign] for sign in "é@0"]
    ['e', 'a', 'o']
    """
    plain = {chr(sign): unicodedata.normalize("NFKD", chr(sign)).lower()[:1] for sign in FORMS}
    plain = {sign: letter for sign, letter in plain.items() if letter.isascii() and letter.isalpha()}
    return plain | {chr(sign): chr(letter) for sign, letter in DISGUISES.items()}


def _letters(make: "_Maker", text: str) -> str:
    """The numbers of each so many letters in a row of a text [n], int64 [n, L]."""
    signs = make("Tokenizer", [text], CONTRIB, mark=0, mincharnum=1, pad_value="", tokenexp=r"\S")
    # ONNX's shape inference ends the process where it does not know of what kind a LabelEncoder's input is.
    signs = make("Cast", [signs], to=TensorProto.STRING)
    known = disguises()
    keys = {"keys_strings": list(known), "values_strings": list(known.values()), "default_string": ""}
    letters = make("LabelEncoder", [signs], ML, **keys)
    plain = make("Where", [make("Equal", [letters, make.text("")]), signs, letters])
    shifted = [make.cut(plain, place, place + 1 - LETTERS or None) for place in range(LETTERS)]
    runs = shifted[0]
    for each in shifted[1:]:
        runs = make("StringConcat", [runs, each])
    return make.numbered(runs, shifted[-1], OF_LETTERS)


class _Maker:
    """Makes nodes one after the other, each with one output of a name of its own."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._nodes = prefix, list[onnx.NodeProto]()
        self._constants = list[onnx.TensorProto]()

    def __call__(self, kind: str, inputs: Sequence[str], domain: str = "", **attributes: object) -> str:
        name = f"{self._prefix}/{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def constant(self, values: NDArray[np.generic] | np.generic) -> str:
        name = f"{self._prefix}/constant/{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def whole(self, values: int | list[int]) -> str:
        return self.constant(np.array(values, np.int64))

    def text(self, value: str) -> str:
        return self.constant(np.array(value, object))

    def count(self, tokens: str) -> str:
        """How many of the numbers of each row are tokens: int64 [n, T] -> float32 [n, 1]."""
        some = self("Cast", [self("Greater", [tokens, self.whole(0)])], to=TensorProto.FLOAT)
        return self("ReduceSum", [some, self.whole([1])], keepdims=1)

    def cut(self, table: str, start: int, end: int | None) -> str:
        """The columns from `start` to `end` of a table [n, T]."""
        last = np.iinfo(np.int64).max if end is None else end
        return self("Slice", [table, self.whole([start]), self.whole([last]), self.whole([1])])

    def numbered(self, tokens: str, known: str, seed: int) -> str:
        """The numbers of tokens, string [n, T] -> int64 [n, T]: 0 where `known` [n, T] has none."""
        hashes = self("MurmurHash3", [tokens], CONTRIB, seed=seed, positive=1)
        whole = self("Cast", [hashes], to=TensorProto.INT64)
        number = self("Add", [self("Mod", [whole, self.whole(BUCKETS - 1)]), self.whole(1)])
        return self("Where", [self("Equal", [known, self.text("")]), self.whole(0), number])

    def part(self, *outputs: str) -> Part:
        return Part(tuple(self._nodes), tuple(self._constants), outputs)
