"""A released graph at work: feature rows in, calibrated probabilities out."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort
import polars as pl
from numpy.typing import NDArray

from core.errors import IntegrityError, PerennialError
from models.rows import Columns, categories, numbers

Feed = Mapping[str, NDArray[Any]]

# Rows a run: the strings of a chunk are Python objects, so larger chunks cost memory and gain no speed.
CHUNK = 16_384
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
KINDS = {"tensor(float)": "number", "tensor(string)": "category"}


class Model:
    """One ONNX file, loaded: the columns that it takes, and its probabilities."""

    def __init__(self, content: bytes, name: str) -> None:
        """Load the bytes of a graph; `name` is what errors call it.

        PerennialError when they are no graph from features to a probability.
        """
        self.name = name
        self._session = _session(content, name)
        self.columns = _columns(self._session, name)

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
        """The probability of each row [n], in 0..1; other columns of the frame are ignored.

        PerennialError names the columns that the frame lacks, or the one of a wrong type.
        """
        slices = frame.iter_slices(CHUNK) if frame.height else ()
        return np.concatenate([np.empty(0), *(self.run(self.feed(part)) for part in slices)])

    def feed(self, frame: pl.DataFrame) -> Feed:
        """The rows as the graph's inputs, each [n, 1]: float32 with NaN, or strings with ""."""
        missing = [name for name in self.columns.names if name not in frame.columns]
        if missing:
            raise PerennialError(f"the rows lack {missing}; {self.name} takes {list(self.columns.names)}")
        try:
            values, texts = numbers(frame, self.columns), categories(frame, self.columns)
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0]
            raise PerennialError(f"{self.name} cannot take these rows: {reason}") from error
        by_column = np.ascontiguousarray(values.T)[:, :, None]
        named = zip(self.columns.categories, texts, strict=True)
        return dict(zip(self.columns.numbers, by_column, strict=True)) | {
            name: series.to_numpy()[:, None] for name, series in named
        }

    def run(self, feed: Feed) -> NDArray[np.float64]:
        """The probability of each row [n] of a feed."""
        (probabilities,) = self._session.run(["probability"], dict(feed))
        return np.asarray(probabilities, dtype=np.float64)[:, 0]


def _session(content: bytes, name: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = _providers()
    try:
        session = ort.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise PerennialError(f"{name} is no graph that onnxruntime can load: {error}") from error
    if session.get_providers()[0] != providers[0]:
        raise PerennialError(f"{name} runs on {session.get_providers()[0]}, though {providers[0]} is offered")
    return session


def _providers() -> list[str]:
    """CUDA where there is a device for it, else the CPU; the list of what was compiled in would lie."""
    offered = {device.ep_name for device in ort.get_ep_devices()}
    if CUDA not in offered:
        return [CPU]
    ort.preload_dlls()  # CUDA's libraries, where pip brought them
    return [CUDA, CPU]


def _columns(session: ort.InferenceSession, name: str) -> Columns:
    """The columns by the graph's own inputs; PerennialError when it has other inputs or outputs."""
    kinds = {value.name: KINDS.get(value.type, value.type) for value in session.get_inputs()}
    strange = {column: kind for column, kind in kinds.items() if kind not in KINDS.values()}
    outputs = [value.name for value in session.get_outputs()]
    if strange or outputs != ["probability"]:
        given = f"{strange or 'features'} -> {outputs}"
        raise PerennialError(f"{name} is not a graph from features to ['probability']: {given}")
    return Columns(
        numbers=tuple(column for column, kind in kinds.items() if kind == "number"),
        categories=tuple(column for column, kind in kinds.items() if kind == "category"),
    )
