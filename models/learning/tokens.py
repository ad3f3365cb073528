"""The tokens of texts as a fit sees them: from the very nodes of the graph that will serve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
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
    """The tokens of each text of a frame, in the order of the columns."""
    if not columns.texts:
        return []
    part = token_part("text", ":tokens")
    given = [helper.make_tensor_value_info("text", TensorProto.STRING, ["n"])]
    made = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", None]) for name in part.outputs]
    graph = assemble("tokens", part.nodes, given, made, part.constants)
    front = session(graph.SerializeToString(), "the tokens of texts")
    found = []
    for series in texts(frame, columns):
        runs = [
            front.run(list(part.outputs), {"text": one.to_numpy()})
            for one in (series[start : start + AT_ONCE] for start in range(0, len(series), AT_ONCE))
        ]
        words, every = ([run[place] for run in runs] for place in (0, 1))
        found.append(Tokens(_joined(words), _joined(every)))
    return found


def _joined(parts: Sequence[NDArray[np.int64]]) -> Numbers:
    """Tables [m, T] one below the other, as wide as the widest."""
    table = np.zeros((sum(map(len, parts)), max((each.shape[1] for each in parts), default=0)), np.int32)
    start = 0
    for each in parts:
        table[start : start + len(each), : each.shape[1]] = each
        start += len(each)
    return table
