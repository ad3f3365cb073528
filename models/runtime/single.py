"""One row at a time through a graph whose inputs and answer stay in place, so that none is handed over."""

from collections.abc import Mapping
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


class Single:
    """A graph of numbers and categories, bound to its memory; any number of threads may share it.

    To hand over its inputs takes longer than to compute the answer. The nodes and what they are given are
    those of the whole graph, and so is the answer, to the last bit.
    """

    def __init__(self, whole: ort.InferenceSession, columns: Columns, bulk: Bulk | None) -> None:
        """`bulk` is the graph in two parts, where it has categories."""
        self._columns, self._bulk, self._lock = columns, bulk, Lock()
        self._code = lru_cache(MOST)(self._encoded)
        self._session = bulk.rest if bulk else whole
        self._binding = self._session.io_binding()
        self._numbers = np.zeros((len(columns.numbers), 1, 1), np.float32)
        there = dict(zip(columns.numbers, self._numbers, strict=True))
        self._codes = dict[str, NDArray[Any]]()
        for given in self._session.get_inputs():
            if given.name not in there:
                self._codes[given.name] = np.zeros((1, 1), DTYPES[given.type])
            place = ort.OrtValue.ortvalue_from_numpy((there | self._codes)[given.name])
            self._binding.bind_ortvalue_input(given.name, place)
        output = self._session.get_outputs()[0]
        self._answer = np.zeros((1, output.shape[-1]), np.float32)
        self._binding.bind_ortvalue_output(output.name, ort.OrtValue.ortvalue_from_numpy(self._answer))

    @classmethod
    def of(cls, whole: ort.InferenceSession, columns: Columns, bulk: Bulk | None) -> Self | None:
        """None where the graph takes texts that it does not merely encode: these cannot stay in place."""
        if columns.texts or (columns.categories and bulk is None):
            return None
        return cls(whole, columns, bulk)

    def run(self, row: Mapping[str, float | str | None]) -> NDArray[np.float32]:
        """The answer to a row, which has all columns of the graph, as `Model.answer` takes them: [1, K]."""
        numbers = np.array([row[name] for name in self._columns.numbers], np.float32)
        encoded = self._bulk.encoded.items() if self._bulk else ()
        codes = [(output, self._code(output, row[name] or "")) for output, name in encoded]
        with self._lock:
            self._numbers[:, 0, 0] = numbers
            for output, code in codes:
                self._codes[output][0, 0] = code
            self._session.run_with_iobinding(self._binding)
            return self._answer.copy()

    def _encoded(self, output: str, text: str) -> Any:
        """What an encoder makes of a text."""
        assert self._bulk is not None
        column = self._bulk.encoded[output]
        texts = {name: text if name == column else "" for name in self._columns.categories}
        feed = {name: np.array([[each]], object) for name, each in texts.items()}
        return self._bulk.encoders.run([output], feed)[0][0, 0]
