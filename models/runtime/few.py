"""A few rows at a time through a graph whose inputs and answers stay in place: none is handed over."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.rows import Columns
from models.runtime.bulk import Bulk

MOST = 65_536  # texts of categories whose codes are remembered; who asks chooses them
DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


class Few:
    """A graph of numbers and categories, bound to its memory; any number of threads may share it.

    To hand over its inputs takes longer than to compute the answers. The nodes and what they are given are
    those of the whole graph, and so are the answers, to the last bit.
    """

    def __init__(self, whole: ort.InferenceSession, columns: Columns, bulk: Bulk | None) -> None:
        """`bulk` is the graph in two parts, where it has categories."""
        self._columns, self._bulk, self._lock = columns, bulk, Lock()
        self._session = bulk.rest if bulk else whole
        self._code = lru_cache(MOST)(self._encoded)
        self._bound = dict[int, _Bound]()

    @classmethod
    def of(cls, whole: ort.InferenceSession, columns: Columns, bulk: Bulk | None) -> Self | None:
        """None where the graph takes texts that it does not merely encode: these cannot stay in place."""
        if columns.texts or (columns.categories and bulk is None):
            return None
        return cls(whole, columns, bulk)

    def run(self, rows: Sequence[Mapping[str, float | str | None]]) -> NDArray[np.float32]:
        """The answers to a few rows, as `Model.answer` takes them: [n, K]."""
        names = self._columns.numbers
        numbers = np.array([[row[name] for name in names] for row in rows], np.float32)
        encoded = self._bulk.encoded.items() if self._bulk else ()
        codes = [(output, [self._code(output, row[name] or "") for row in rows]) for output, name in encoded]
        with self._lock:
            bound = self._bound.get(len(rows)) or self._bind(len(rows))
            return bound.run(numbers, codes)

    def _bind(self, rows: int) -> "_Bound":
        bound = self._bound[rows] = _Bound(self._session, self._columns.numbers, rows)
        return bound

    def _encoded(self, output: str, text: str) -> Any:
        """What an encoder makes of a text."""
        assert self._bulk is not None
        column = self._bulk.encoded[output]
        texts = {name: text if name == column else "" for name in self._columns.categories}
        feed = {name: np.array([[each]], object) for name, each in texts.items()}
        return self._bulk.encoders.run([output], feed)[0][0, 0]


class _Bound:
    """The memory of so many rows and of their answers, as a graph is bound to it."""

    def __init__(self, session: ort.InferenceSession, numbers: Sequence[str], rows: int) -> None:
        self._session, self._binding = session, session.io_binding()
        self._numbers = np.zeros((len(numbers), rows, 1), np.float32)
        there = dict(zip(numbers, self._numbers, strict=True))
        self._codes = dict[str, NDArray[Any]]()
        for given in session.get_inputs():
            if given.name not in there:
                self._codes[given.name] = np.zeros((rows, 1), DTYPES[given.type])
            place = ort.OrtValue.ortvalue_from_numpy((there | self._codes)[given.name])
            self._binding.bind_ortvalue_input(given.name, place)
        output = session.get_outputs()[0]
        self._answers = np.zeros((rows, output.shape[-1]), np.float32)
        self._binding.bind_ortvalue_output(output.name, ort.OrtValue.ortvalue_from_numpy(self._answers))

    def run(
        self, numbers: NDArray[np.float32], codes: Iterable[tuple[str, Sequence[Any]]]
    ) -> NDArray[np.float32]:
        """The answers [n, K] to `numbers` [n, numbers], and the codes of the categories by their input."""
        self._numbers[:, :, 0] = numbers.T
        for output, column in codes:
            self._codes[output][:, 0] = column
        self._session.run_with_iobinding(self._binding)
        return self._answers.copy()
