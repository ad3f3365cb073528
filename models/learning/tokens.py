"""The tokens of texts as a fit sees them: from the very nodes of the graph that will serve."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnxruntime as ort
import polars as pl
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy import sparse

from models.onnx.proto import assemble
from models.onnx.texts import BUCKETS, ROOTS, token_part
from models.rows import Columns, texts
from models.runtime.session import session

AT_ONCE = 1_024
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The numbers of each text's words [n, W] and of all its tokens [n, T], 0 behind a row's own."""

    words: Numbers
    all: Numbers

    @property
    def counts(self) -> NDArray[np.float32]:
        """How many words and tokens each text has, float32 [n, 2]."""
        return np.column_stack([(each > 0).sum(1) for each in (self.words, self.all)]).astype(np.float32)

    @property
    def known(self) -> NDArray[np.int64]:
        """How many tokens each text has [n]."""
        return np.asarray((self.all > 0).sum(1), np.int64)

    def at(self, places: NDArray[np.intp]) -> "Tokens":
        """Those of some of the texts, by position."""
        return Tokens(self.words[places], self.all[places])

    def often(self) -> sparse.csr_matrix:
        """How often each token is in each text [n, BUCKETS]."""
        some = self.all > 0
        edges = np.concatenate([[0], np.cumsum(self.known)])
        found = sparse.csr_matrix((np.ones(edges[-1]), self.all[some], edges), (len(self.all), BUCKETS))
        found.sum_duplicates()
        return found

    def shares(self) -> sparse.csr_matrix:
        """How often each token is in each text, by the root of how many there are [n, BUCKETS]."""
        roots = sparse.diags(ROOTS[self.known].astype(np.float64))
        return (roots @ self.often()).tocsr()


def tokens(frame: pl.DataFrame, columns: Columns) -> list[Tokens]:
    """The tokens of each text of a frame, in the order of the columns; the same text is read once."""
    found = []
    for series in texts(frame, columns):
        distinct = series.to_arrow().dictionary_encode()
        words, every, _ = _run(distinct.dictionary.to_numpy(zero_copy_only=False))
        read = Tokens(*(_joined(parts, np.int32(0)) for parts in (words, every)))
        found.append(read.at(distinct.indices.to_numpy()))
    return found


def words_of(series: pl.Series) -> pl.Series:
    """The words of each text, a list of strings, as the graph finds them; null has none.

    >>> words_of(pl.Series(["Stop it!", None])).to_list()
    [['stop', 'it', '!'], []]
    """
    table = _joined(_run(series.cast(pl.String).fill_null("").to_numpy())[2], "")
    return pl.Series(series.name, [[word for word in row if word] for row in table], pl.List(pl.String))


def _run(read: NDArray[Any]) -> list[list[NDArray[Any]]]:
    """What the nodes give for texts [n], some at a time: by output, then by turn."""
    front = _front()
    names = [output.name for output in front.get_outputs()]
    turns = (read[start : start + AT_ONCE] for start in range(0, len(read), AT_ONCE))
    runs = [front.run(names, {"text": turn}) for turn in turns]
    return [[run[place] for run in runs] for place in range(len(names))]


@cache
def _front() -> ort.InferenceSession:
    """The nodes of a text as a graph of their own, loaded once."""
    part = token_part("text", ":tokens")
    given = [helper.make_tensor_value_info("text", TensorProto.STRING, ["n"])]
    kinds = (TensorProto.INT64, TensorProto.INT64, TensorProto.STRING)
    made = [
        helper.make_tensor_value_info(name, kind, ["n", None])
        for name, kind in zip(part.outputs, kinds, strict=True)
    ]
    graph = assemble("tokens", part.nodes, given, made, part.constants)
    return session(graph.SerializeToString(), "the tokens of texts")


def _joined(parts: Sequence[NDArray[Any]], nothing: np.int32 | str) -> NDArray[Any]:
    """Tables [m, T] one below the other, as wide as the widest, filled up with nothing."""
    shape = (sum(map(len, parts)), max((each.shape[1] for each in parts), default=0))
    table = np.full(shape, nothing, object if isinstance(nothing, str) else np.int32)
    start = 0
    for each in parts:
        table[start : start + len(each), : each.shape[1]] = each
        start += len(each)
    return table
