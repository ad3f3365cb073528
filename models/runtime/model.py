"""A released graph at work: feature rows in, calibrated answers out."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime as ort
import polars as pl
from numpy.typing import NDArray

from core.errors import IntegrityError, PerennialError
from models.rows import Columns
from models.runtime.bulk import Bulk
from models.runtime.few import Few
from models.runtime.session import FEW, Feed, feed, feed_of, session

__all__ = ["CHUNK", "FEW", "OUTPUTS", "Model"]

# Rows a run: larger chunks cost memory and gain no speed; of free texts a run holds every token, as many
# for each row as the longest has. From MANY on, a look at the distinct categories pays.
CHUNK, TEXT_CHUNK, MANY = 16_384, 256, 1_000
# What an input is by its type, and by how many dimensions it has.
KINDS = {("tensor(float)", 2): "number", ("tensor(string)", 2): "category", ("tensor(string)", 1): "text"}
# What a graph may give: one answer a row, or one for each class or quantile.
OUTPUTS = ("probability", "probabilities", "value", "quantiles", "score")
WIDE = ("probabilities", "quantiles")


class Model:
    """One ONNX file, loaded: the columns that it takes, and what it answers.

    `output` is "probability", "value" or "score", one for each row, "probabilities", one for each of
    `classes`, or rising "quantiles", one for each of these `levels`. `says` is what the file says of
    itself.
    """

    def __init__(self, content: bytes, name: str) -> None:
        """Load the bytes of a graph; `name` is what errors call it.

        PerennialError when they are no graph from features to an answer, or its classes (its levels)
        are not as many as its probabilities (its quantiles).
        """
        self.name = name
        self._content, self._session = content, session(content, name)
        self.columns = _columns(self._session, name)
        given = self._session.get_outputs()[0]
        self.output, self._width = str(given.name), given.shape[-1]
        self.says: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.classes = tuple(json.loads(self.says.get("classes", "[]")))
        self.levels = tuple(json.loads(self.says.get("quantiles", "[]")))
        for kind, named in (("classes", self.classes), ("levels", self.levels)):
            if named and self._width != len(named):
                raise PerennialError(f"{name} gives {self._width} {self.output} for the {kind} {named}")

    @classmethod
    def open(cls, path: Path, sha256: str) -> Self:
        """Load the file, once its bytes are known to have this SHA-256.

        IntegrityError, which names the file and both hashes, when they do not; PerennialError when
        there is no such file, or it is no model.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PerennialError(f"{path}: cannot be read: {error.strerror}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise IntegrityError(f"{path} has SHA-256 {found}, not {sha256}: it is not the registered file")
        return cls(content, str(path))

    @property
    def rows_at_once(self) -> int:
        """How many rows a run in bulk takes."""
        return TEXT_CHUNK if self.columns.texts else CHUNK

    def predict(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The answer to each row: [n], or [n, K] of classes or quantiles.

        Other columns of the frame are ignored. PerennialError names the columns that the frame lacks, or
        the one of a wrong type.
        """
        shape = (0, self._width) if self.output in WIDE else (0,)
        if not frame.height:
            return np.empty(shape)
        way = self._bulk.run if frame.height >= MANY and self._bulk else self._whole
        return np.concatenate([self._exact(way(part)) for part in frame.iter_slices(self.rows_at_once)])

    def feed(self, frame: pl.DataFrame) -> Feed:
        """The rows as the graph's inputs (see `feed`)."""
        return feed(frame, self.columns, self.name)

    def answer(self, rows: Sequence[Mapping[str, float | str | None]]) -> NDArray[np.float64]:
        """The answer to each of a few rows, at least one, that are mappings: [n], or [n, K].

        Each has all columns of the graph, as `features.online` makes them: numbers of 32 bits, texts, None.
        """
        if len(rows) <= FEW and self._few:
            return self._exact(self._few.run(rows))
        return self.run(feed_of(rows, self.columns))

    def run(self, feed: Feed) -> NDArray[np.float64]:
        """The answer to each row of a feed: [n], or [n, K] of classes or quantiles."""
        return self._exact(self._session.run([self.output], feed)[0])

    @cached_property
    def _bulk(self) -> Bulk | None:
        return Bulk.of(self._content, self.columns, self.name)

    @cached_property
    def _few(self) -> Few | None:
        return Few.of(self._session, self.columns, self._bulk)

    def _whole(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        answers: NDArray[np.float32] = self._session.run([self.output], self.feed(frame))[0]
        return answers

    def _exact(self, answers: NDArray[np.float32]) -> NDArray[np.float64]:
        exact = answers.astype(np.float64)
        return exact if self.output in WIDE else exact[:, 0]


def _columns(loaded: ort.InferenceSession, name: str) -> Columns:
    """The columns by the graph's own inputs; PerennialError when it has other inputs or outputs."""
    given = {value.name: (value.type, len(value.shape)) for value in loaded.get_inputs()}
    kinds = {column: KINDS.get(each, each[0]) for column, each in given.items()}
    strange = {column: kind for column, kind in kinds.items() if kind not in KINDS.values()}
    outputs = [value.name for value in loaded.get_outputs()]
    if strange or len(outputs) != 1 or outputs[0] not in OUTPUTS:
        found = f"{strange or 'features'} -> {outputs}"
        raise PerennialError(f"{name} is not a graph from features to one of {list(OUTPUTS)}: {found}")
    return Columns(
        *(tuple(column for column, each in kinds.items() if each == kind) for kind in KINDS.values())
    )
