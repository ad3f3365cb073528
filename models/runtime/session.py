"""A graph loaded, and rows as its inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from core.errors import PerennialError
from models.rows import Columns

Feed = Mapping[str, NDArray[Any]]

# Rows that are read as they are: Polars hands expressions to other threads, which so few would wait for.
FEW = 16
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def feed(frame: pl.DataFrame, columns: Columns, name: str) -> dict[str, NDArray[Any]]:
    """The rows as the inputs of a graph: float32 with NaN, or strings with ""; each [n, 1], but texts [n].

    PerennialError, which calls the graph `name`, as of `typed`.
    """
    if frame.height <= FEW and (rows := _as_they_are(frame, columns)):
        with np.errstate(over="ignore"):  # what is too large becomes infinite, as it does in Polars
            return _shaped({column: _array(series) for column, series in rows.items()}, columns)
    cast = typed(frame, columns, name)
    return _shaped({series.name: series.to_numpy() for series in cast.iter_columns()}, columns)


def feed_of(rows: Sequence[Mapping[str, float | str | None]], columns: Columns) -> dict[str, NDArray[Any]]:
    """The same of rows that are mappings: numbers of 32 bits and texts by name, None where missing.

    One row takes a tenth of the time that a frame of it does.
    """
    numbers = np.array([[row[name] for row in rows] for name in columns.numbers], np.float32)
    arrays: dict[str, NDArray[Any]] = dict(zip(columns.numbers, numbers, strict=True))
    for name in columns.categories + columns.texts:
        arrays[name] = np.array([row[name] or "" for row in rows], object)
    return _shaped(arrays, columns)


def _shaped(arrays: Mapping[str, NDArray[Any]], columns: Columns) -> dict[str, NDArray[Any]]:
    return {name: values if name in columns.texts else values[:, None] for name, values in arrays.items()}


def _as_they_are(frame: pl.DataFrame, columns: Columns) -> dict[str, pl.Series]:
    """The columns by name, where all are there as numbers and texts; else nothing."""
    there = {series.name: series for series in frame.get_columns()}
    if not set(columns.names) <= there.keys():
        return {}
    kinds = [there[name].dtype for name in columns.numbers]
    texts = [there[name].dtype == pl.String for name in columns.categories + columns.texts]
    fits = all(kind.is_float() or kind.is_integer() for kind in kinds) and all(texts)
    return {name: there[name] for name in columns.names} if fits else {}


def _array(series: pl.Series) -> NDArray[Any]:
    if series.dtype == pl.String:
        return np.array([text or "" for text in series.to_list()], dtype=object)
    return series.to_numpy().astype(np.float32)


def typed(frame: pl.DataFrame, columns: Columns, name: str) -> pl.DataFrame:
    """The columns that a graph takes, as it takes them: Float32 with NaN for null, String with "".

    PerennialError, which calls the graph `name`, when the frame lacks columns, or one is of a wrong
    type.
    """
    missing = [column for column in columns.names if column not in frame.columns]
    if missing:
        raise PerennialError(f"the rows lack {missing}; {name} takes {list(columns.names)}")
    # By name, since a plain name may read as a pattern; at once, since a call for each column costs more
    # than its cast.
    numbers = cs.by_name(*columns.numbers).cast(pl.Float32).fill_null(np.nan)
    strings = columns.categories + columns.texts
    texts = cs.by_name(*strings).cast(pl.String).fill_null("")
    chosen = [*([numbers] * bool(columns.numbers)), *([texts] * bool(strings))]
    try:
        return frame.select(*chosen)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise PerennialError(f"{name} cannot take these rows: {reason}") from error


def session(content: bytes, name: str) -> ort.InferenceSession:
    """A graph, loaded to run on one thread; PerennialError, which calls it `name`, when it is none."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails raises; onnxruntime would log it, with what it failed on
    # An arena keeps for good what the largest run took, and with texts of any length grows from run to run.
    options.enable_cpu_mem_arena = False
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
