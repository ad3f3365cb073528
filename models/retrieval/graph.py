"""A retriever as one ONNX graph: the items that somebody had in, those to show first out."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.errors import UnfitError
from models.onnx.proto import ML, assemble
from models.retrieval.retriever import HISTORY, NONE, Floats, Retriever, Whole

Names = NDArray[np.object_]

TOLERANCE = 1e-4  # of a score, which is a sum of logarithms


def graph(retriever: Retriever, count: int) -> onnx.ModelProto:
    """The graph that finds the first `count` items, or all where there are fewer.

    `history` are the items by name, string [n, h], the newest last and "" where there are fewer than h
    (at least 1); an item that is not in the index counts as "". `items` (string, "" for none) and
    `scores` (float32, minus infinity) are [n, count], in order of falling score; no item that was had
    is among them.
    """
    node, none = helper.make_node, len(retriever.items)
    names = {"keys_strings": [*retriever.items, ""], "values_int64s": [*range(none), none]}
    nodes = [
        node("LabelEncoder", ["history"], ["codes"], domain=ML, default_int64=none, **names),
        # The newest that are in the index, counted from the end.
        node("Less", ["codes", "none"], ["known"]),
        node("Cast", ["known"], ["one"], to=TensorProto.INT64),
        node("CumSum", ["one", "axis"], ["place"], reverse=1),
        node("LessOrEqual", ["place", "longest"], ["late"]),
        node("And", ["known", "late"], ["asks"]),
        node("Where", ["asks", "codes", "none"], ["asked"]),
        node("Cast", ["asks"], ["weight"], to=TensorProto.FLOAT),
        node("Gather", ["vectors", "asked"], ["each"]),
        node("ReduceSum", ["each", "axis"], ["total"], keepdims=0),
        node("ReduceSum", ["weight", "axis"], ["number"], keepdims=1),
        node("Max", ["number", "least"], ["divisor"]),
        node("Div", ["total", "divisor"], ["query"]),
        node("MatMul", ["query", "index"], ["affinity"]),
        node("Add", ["affinity", "popularity"], ["score"]),
        node("Shape", ["codes"], ["shape"]),
        node("Expand", ["never", "shape"], ["out"]),
        node("ScatterElements", ["score", "codes", "out"], ["open"], axis=1, reduction="min"),
        node("TopK", ["open", "count"], ["scores", "found"], axis=1),
        node("IsInf", ["scores"], ["lacking"]),
        node("Where", ["lacking", "none", "found"], ["place_found"]),
        node("Gather", ["names", "place_found"], ["items"]),
    ]
    constants = _constants(retriever, min(count, none + 1))
    inputs = [helper.make_tensor_value_info("history", TensorProto.STRING, ["n", "h"])]
    outputs = [
        helper.make_tensor_value_info("items", TensorProto.STRING, ["n", "k"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", "k"]),
    ]
    return assemble("retrieval", nodes, inputs, outputs, constants)


def _constants(retriever: Retriever, count: int) -> list[onnx.TensorProto]:
    """The index, behind whose last item stands none: no vector, and never found."""
    none = len(retriever.items)
    arrays: dict[str, NDArray[np.generic]] = {
        "none": np.array(none, np.int64),
        "axis": np.array([1], np.int64),
        "longest": np.array(HISTORY, np.int64),
        "least": np.array(1, np.float32),
        "never": np.array(-np.inf, np.float32),
        "count": np.array([count], np.int64),
        "vectors": np.pad(retriever.asked, ((0, 1), (0, 0))),
        "index": np.pad(retriever.index, ((0, 1), (0, 0))).T.copy(),
        "popularity": np.append(retriever.popularity, np.float32(-np.inf))[None],
        "names": np.array([*retriever.items, ""], object),
    }
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def answers(
    session: ort.InferenceSession, names: Sequence[Sequence[str]]
) -> tuple[NDArray[np.object_], Floats]:
    """What the graph finds for histories of any length: names and scores [n, count]."""
    longest = max(1, *map(len, names)) if names else 1
    padded = [[*each, *[""] * (longest - len(each))] for each in names]
    items, scores = session.run(None, {"history": np.array(padded, object).reshape(len(names), longest)})
    return np.asarray(items, object), np.asarray(scores, np.float32)


def parity(retriever: Retriever, session: ort.InferenceSession, pasts: Sequence[Whole], count: int) -> float:
    """The largest difference of a score between the graph and the retriever, for these pasts.

    A past are the places of the items that were had, the newest last. UnfitError where it is more than
    `TOLERANCE`, or an item is found that the retriever scores otherwise.
    """
    items, scores = answers(session, [[retriever.items[place] for place in past] for past in pasts])
    places = {name: place for place, name in enumerate(retriever.items)} | {"": NONE}
    recent = np.full((len(pasts), HISTORY), NONE)
    for row, past in enumerate(pasts):
        recent[row, : len(past[-HISTORY:])] = past[-HISTORY:]
    native = retriever.first(recent, pasts, count)
    found = np.array([[places[name] for name in row] for row in items.tolist()], np.int64)
    said = np.append(retriever.popularity, np.float32(-np.inf))[found] + _affinity(retriever, recent, found)
    lacking = np.isneginf(scores)
    expected = native.score[:, : scores.shape[1]]
    with np.errstate(invalid="ignore"):  # of none and none
        differences = [
            np.where(lacking & np.isneginf(each), 0, np.abs(scores - each)) for each in (expected, said)
        ]
    largest = float(np.max(differences, initial=0.0))
    if not largest <= TOLERANCE:
        raise UnfitError(f"retrieval.onnx: a score differs from the retriever's by {largest:.1e}")
    return largest


def _affinity(retriever: Retriever, histories: Whole, items: Whole) -> Floats:
    index = np.pad(retriever.index, ((0, 1), (0, 0)))
    return np.asarray(np.einsum("nd,nkd->nk", retriever.queries(histories), index[items]), np.float32)
