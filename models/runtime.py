"""A released graph at work: feature rows in, calibrated answers out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from core.errors import IntegrityError, PerennialError
from models.rows import Columns

Feed = Mapping[str, NDArray[Any]]

# Rows a run: the strings of a chunk are Python objects, so larger chunks cost memory and gain no speed.
CHUNK = 16_384
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
KINDS = {"tensor(float)": "number", "tensor(string)": "category"}
# What a graph may give: one answer a row, or one for each class.
OUTPUTS = ("probability", "probabilities", "value", "score")


class Model:
    """One ONNX file, loaded: the columns that it takes, and what it answers.

    `output` is "probability", "value" or "score", one for each row, or "probabilities", one for each
    of `classes`. `says` is what the file says of itself.
    """

    def __init__(self, content: bytes, name: str) -> None:
        """Load the bytes of a graph; `name` is what errors call it.

        PerennialError when they are no graph from features to an answer, or its classes are not as
        many as its probabilities.
        """
        self.name = name
        self._session = session(content, name)
        self.columns = _columns(self._session, name)
        given = self._session.get_outputs()[0]
        self.output, self._width = str(given.name), given.shape[-1]
        self.says: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.classes = tuple(json.loads(self.says.get("classes", "[]")))
        if self.classes and self._width != len(self.classes):
            raise PerennialError(f"{name} gives {self._width} {self.output} for the classes {self.classes}")

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

    def predict(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The answer to each row: [n], or [n, classes]; other columns of the frame are ignored.

        PerennialError names the columns that the frame lacks, or the one of a wrong type.
        """
        slices = frame.iter_slices(CHUNK) if frame.height else ()
        shape = (0, self._width) if self.output == "probabilities" else (0,)
        return np.concatenate([np.empty(shape), *(self.run(self.feed(part)) for part in slices)])

    def feed(self, frame: pl.DataFrame) -> Feed:
        """The rows as the graph's inputs (see `feed`)."""
        return feed(frame, self.columns, self.name)

    def run(self, feed: Feed) -> NDArray[np.float64]:
        """The answer to each row of a feed: [n], or [n, classes]."""
        (answers,) = self._session.run([self.output], feed)
        exact: NDArray[np.float64] = answers.astype(np.float64)
        return exact if self.output == "probabilities" else exact[:, 0]


def feed(frame: pl.DataFrame, columns: Columns, name: str) -> dict[str, NDArray[Any]]:
    """The rows as the inputs of a graph, each [n, 1]: float32 with NaN, or strings with "".

    PerennialError, which calls the graph `name`, when the frame lacks columns, or one is of a wrong
    type.
    """
    missing = [column for column in columns.names if column not in frame.columns]
    if missing:
        raise PerennialError(f"the rows lack {missing}; {name} takes {list(columns.names)}")
    # By name, since a plain name may read as a pattern; at once, since a call for each column costs more
    # than its cast.
    numbers = cs.by_name(*columns.numbers).cast(pl.Float32).fill_null(np.nan)
    categories = cs.by_name(*columns.categories).cast(pl.String).fill_null("")
    try:
        typed = frame.select(*([numbers] * bool(columns.numbers)), *([categories] * bool(columns.categories)))
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise PerennialError(f"{name} cannot take these rows: {reason}") from error
    return {series.name: series.to_numpy()[:, None] for series in typed.iter_columns()}


def session(content: bytes, name: str) -> ort.InferenceSession:
    """A graph, loaded to run on one thread; PerennialError, which calls it `name`, when it is none."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = _providers()
    try:
        loaded = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise PerennialError(f"{name} is no graph that onnxruntime can load: {error}") from error
    if loaded.get_providers()[0] != providers[0]:
        raise PerennialError(f"{name} runs on {loaded.get_providers()[0]}, though {providers[0]} is offered")
    return loaded


def _providers() -> list[str]:
    """CUDA where there is a device for it, else the CPU; the list of what was compiled in would lie."""
    offered = {device.ep_name for device in ort.get_ep_devices()}
    if CUDA not in offered:
        return [CPU]
    ort.preload_dlls()  # CUDA's libraries, where pip brought them
    return [CUDA, CPU]


def _columns(loaded: ort.InferenceSession, name: str) -> Columns:
    """The columns by the graph's own inputs; PerennialError when it has other inputs or outputs."""
    kinds = {value.name: KINDS.get(value.type, value.type) for value in loaded.get_inputs()}
    strange = {column: kind for column, kind in kinds.items() if kind not in KINDS.values()}
    outputs = [value.name for value in loaded.get_outputs()]
    if strange or len(outputs) != 1 or outputs[0] not in OUTPUTS:
        given = f"{strange or 'features'} -> {outputs}"
        raise PerennialError(f"{name} is not a graph from features to one of {list(OUTPUTS)}: {given}")
    return Columns(
        numbers=tuple(column for column, kind in kinds.items() if kind == "number"),
        categories=tuple(column for column, kind in kinds.items() if kind == "category"),
    )
