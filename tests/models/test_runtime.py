"""A graph is served only as the file that was registered, and answers rows as they come."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import psutil
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from core.errors import IntegrityError, PerennialError
from models.calibration.choose import uncalibrated
from models.learning.encode import CategoryCodes, Scaling
from models.onnx.encoders import float_node
from models.onnx.graph import calibrated, described, from_linear
from models.onnx.proto import assemble, column
from models.rows import Columns
from models.runtime.model import CHUNK, MANY, Model
from models.runtime.session import FEW, feed

# sigmoid(wind / 10 + 1 where wind is missing + 2 for UA, 0 for any other)
COLUMNS = Columns(("wind",), ("airline",))
PLAIN = uncalibrated("sigmoid", (0.0,))
SHAPES = {"flat": [-1], "tall": [-1, 1]}


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    scaling = Scaling(np.zeros(1, np.float32), np.full(1, 10, np.float32))
    weights, codes = np.array([[1.0], [1], [0], [2]]), [CategoryCodes("airline", {"UA": 1})]
    return calibrated(from_linear(COLUMNS, scaling, weights, np.zeros(1), codes), PLAIN)


@pytest.fixture(scope="module")
def model(graph: onnx.ModelProto) -> Model:
    return Model(graph.SerializeToString(), "wind/1")


def sigmoid(margins: NDArray[np.float64] | list[float]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.asarray(margins))), np.float64)


def test_rows_as_they_come(model: Model) -> None:
    frame = pl.DataFrame(
        {
            "flight": [1, 2, 3, 4, 5],
            "airline": ["UA", None, "never seen", "", "UA"],
            "wind": [10.0, -20.0, None, np.nan, 0.0],
        }
    )
    assert model.columns == COLUMNS
    found = model.predict(frame)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, sigmoid([3, -2, 1, 1, 2]), rtol=1e-6)
    kinds = frame.with_columns(pl.col("airline").cast(pl.Categorical), pl.col("wind").cast(pl.Float32))
    np.testing.assert_array_equal(model.predict(kinds), found)
    np.testing.assert_array_equal(model.predict(frame[::-1]), found[::-1])
    assert model.predict(frame.clear()).shape == (0,)


def test_chunks_join_without_a_seam(model: Model) -> None:
    winds = np.arange(2 * CHUNK + 3) % 97 - 48.0  # none as far out as 6 scales
    frame = pl.DataFrame({"wind": winds.astype(np.float32)}).with_columns(airline=pl.lit("UA"))
    np.testing.assert_allclose(model.predict(frame), sigmoid(2 + winds / 10), rtol=1e-5)


def test_a_missing_column_is_named_with_those_that_are_taken(model: Model) -> None:
    with pytest.raises(PerennialError, match=r"lack \['airline'\]; wind/1 takes \['wind', 'airline'\]"):
        model.predict(pl.DataFrame({"wind": [1.0]}))


def test_a_column_of_the_wrong_type_is_named(model: Model) -> None:
    with pytest.raises(PerennialError, match=r"wind/1 cannot take these rows.*'wind'"):
        model.predict(pl.DataFrame({"wind": ["strong"], "airline": ["UA"]}))


def answering(output: str, width: int, says: dict[str, str] | None = None) -> Model:
    """A graph whose answers are its number times 1, 2, ..."""
    times = onnx.numpy_helper.from_array(np.arange(1, width + 1, dtype=np.float32), "times")
    nodes = [onnx.helper.make_node("Mul", ["wind", "times"], [output])]
    graph = assemble("times", nodes, [column("wind")], [column(output, width=width)], [times])
    return Model(described(graph, says or {}).SerializeToString(), "times")


@pytest.mark.parametrize("output", ["probability", "value", "score"])
def test_one_answer_a_row(output: str) -> None:
    model, frame = answering(output, 1), pl.DataFrame({"wind": [0.25, 0.5]})
    assert (model.output, model.classes) == (output, ())
    assert model.predict(frame).tolist() == [0.25, 0.5]
    assert model.predict(frame.clear()).shape == (0,)


def test_an_answer_for_each_class() -> None:
    model = answering("probabilities", 3, {"classes": '["red", "green", "blue"]', "family": "linear"})
    frame = pl.DataFrame({"wind": [1.0] * (CHUNK + 1)})
    assert (model.output, model.classes) == ("probabilities", ("red", "green", "blue"))
    assert model.says["family"] == "linear"
    assert model.predict(frame).shape == (CHUNK + 1, 3)
    assert model.predict(frame)[-1].tolist() == [1, 2, 3]
    assert model.predict(frame.clear()).shape == (0, 3)
    with pytest.raises(PerennialError, match=r"times gives 3 probabilities for the classes \('red',\)"):
        answering("probabilities", 3, {"classes": '["red"]'})


@pytest.mark.parametrize(
    "number", ["wind speed", "風速", "^wind.*$", "*", "calibration/slope", "linear/mean", "x"]
)
@pytest.mark.parametrize("category", ["air line", "Fluggesellschaft 🛫", "front/codes", "terms"])
def test_columns_may_be_called_anything(number: str, category: str) -> None:
    columns, codes = Columns((number,), (category,)), [CategoryCodes(category, {"UA": 1})]
    scaling = Scaling(np.zeros(1, np.float32), np.full(1, 10, np.float32))
    graph = from_linear(columns, scaling, np.array([[1.0], [1], [0], [2]]), np.zeros(1), codes)
    model = Model(calibrated(graph, PLAIN).SerializeToString(), "odd")
    frame = pl.DataFrame({"wind": [1.0], "windy": [2.0]}).with_columns(
        pl.Series(number, [10.0]), pl.Series(category, ["UA"])
    )
    assert model.columns == columns
    np.testing.assert_allclose(model.predict(frame), sigmoid([3]), rtol=1e-6)


def test_many_columns_and_none_of_one_kind() -> None:
    names = tuple(f"n{place}" for place in range(500))
    scaling = Scaling(np.zeros(500, np.float32), np.ones(500, np.float32))
    weights = np.append(np.full(500, 0.01), np.zeros(500))[:, None]
    graph = from_linear(Columns(names, ()), scaling, weights, np.zeros(1), [])
    model = Model(calibrated(graph, PLAIN).SerializeToString(), "many")
    frame = pl.DataFrame({name: [0.1, None] for name in names})
    np.testing.assert_allclose(model.predict(frame), sigmoid([0.5, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.5, None, np.nan, np.inf, -0.0, 1e300], pl.Float64),
        ([1.5, None, np.nan, np.inf, -0.0, 1e-45], pl.Float32),
        ([1, None, 2**24 + 1, -(2**62) - 1, 0, 7], pl.Int64),
        ([1, 2, 255, None, 0, 7], pl.UInt8),
        ([True, False, None, True, True, False], pl.Boolean),
        ([None] * 6, pl.Null),
    ],
)
def test_few_rows_are_taken_as_many_are(values: list[float | None], dtype: type[pl.DataType]) -> None:
    texts = ["UA", None, "", "a\0b", "é", "🛫"]
    few = pl.DataFrame({"wind": pl.Series(values, dtype=dtype), "airline": texts})
    many = pl.concat([few] * FEW)
    one, other = feed(few, COLUMNS, "few"), feed(many, COLUMNS, "many")
    for name in COLUMNS.names:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name][: len(few)])
    np.testing.assert_array_equal(np.signbit(one["wind"]), np.signbit(other["wind"][: len(few)]))


def test_many_rows_get_the_answers_of_single_ones(graph: onnx.ModelProto) -> None:
    """To the last bit, though each distinct text is looked up but once for many."""
    random, model = np.random.default_rng(4), Model(graph.SerializeToString(), "wind/1")
    texts = np.array(["UA", "B6", "", None, "never seen", "UA ", "ua", "🛫"], dtype=object)
    airlines = [*random.choice(texts, MANY), *(f"unique {row}" for row in range(200))]
    frame = pl.DataFrame({"airline": airlines, "wind": random.normal(0, 20, len(airlines))})
    frame = frame.with_columns(
        pl.when(pl.col("wind") > 30).then(None).otherwise(pl.col("wind")).alias("wind")
    )
    few = np.concatenate([model.predict(part) for part in frame.iter_slices(7)])
    np.testing.assert_array_equal(model.predict(frame), few)
    assert len(set(few.tolist())) > MANY / 2


def test_a_graph_that_reads_its_texts_otherwise_is_run_whole() -> None:
    """One that takes lower and upper case for the same, before it looks them up."""
    nodes = [
        onnx.helper.make_node("Reshape", ["airline", "flat"], ["row"]),
        onnx.helper.make_node(
            "StringNormalizer", ["row"], ["lower"], case_change_action="LOWER", locale="C.UTF-8"
        ),
        float_node("lower", "known", {"ua": 0.75}, 0.25),
        onnx.helper.make_node("Reshape", ["known", "tall"], ["probability"]),
    ]
    shapes = [onnx.numpy_helper.from_array(np.array(shape), name) for name, shape in SHAPES.items()]
    inputs = [column("airline", TensorProto.STRING)]
    model = Model(
        assemble("lower", nodes, inputs, [column("probability")], shapes).SerializeToString(), "lower"
    )
    assert set(model.predict(pl.DataFrame({"airline": ["uA"] * MANY})).tolist()) == {0.75}


def test_a_run_gives_back_the_memory_that_it_took() -> None:
    width = 20_000  # of what lies between one number and the answer
    nodes = [
        onnx.helper.make_node("Expand", ["wind", ":shape"], [":wide"]),
        onnx.helper.make_node("ReduceMean", [":wide", ":axis"], ["value"], keepdims=1),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array([1, width], np.int64), ":shape"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), ":axis"),
    ]
    wide = assemble("wide", nodes, [column("wind")], [column("value")], constants)
    model = Model(wide.SerializeToString(), "wide")
    rows = pl.DataFrame({"wind": np.ones(4_000)})
    before = psutil.Process().memory_info().rss
    assert model.predict(rows).tolist() == [1.0] * rows.height
    taken = rows.height * width * 4
    assert psutil.Process().memory_info().rss - before < taken / 4


def test_only_the_registered_bytes_are_loaded(graph: onnx.ModelProto, tmp_path: Path) -> None:
    path, content = tmp_path / "float32.onnx", graph.SerializeToString()
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    assert Model.open(path, sha256).columns == COLUMNS
    other = described(graph, {"note": "answers just as well"}).SerializeToString()
    path.write_bytes(other)
    with pytest.raises(IntegrityError, match=r"float32\.onnx") as caught:
        Model.open(path, sha256)
    assert sha256 in str(caught.value)
    assert hashlib.sha256(other).hexdigest() in str(caught.value)
    with pytest.raises(PerennialError, match="No such file"):
        Model.open(tmp_path / "absent.onnx", sha256)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(PerennialError, match="junk is no graph"):
        Model(b"not a graph", "junk")
    identity = [onnx.helper.make_node("Identity", ["wind"], ["margin"])]
    margin_only = assemble("margin", identity, [column("wind")], [column("margin")])
    with pytest.raises(PerennialError, match=r"uncalibrated is not a graph .*\['margin'\]"):
        Model(margin_only.SerializeToString(), "uncalibrated")
    whole = [onnx.helper.make_node("Cast", ["wind"], ["probability"], to=TensorProto.FLOAT)]
    counts = assemble("counts", whole, [column("wind", TensorProto.INT64)], [column("probability")])
    with pytest.raises(PerennialError, match=r"whole is not a graph .*'wind': 'tensor\(int64\)'"):
        Model(counts.SerializeToString(), "whole")


def test_a_session_is_silent(graph: onnx.ModelProto, tmp_path: Path) -> None:
    """onnxruntime writes its complaints to the process's stderr, past Python: so ask another process."""
    path = tmp_path / "float32.onnx"
    path.write_bytes(graph.SerializeToString())
    script = (
        "import sys, pathlib, polars as pl; from models.runtime.model import Model; "
        "model = Model(pathlib.Path(sys.argv[1]).read_bytes(), 'wind/1'); "
        "print(model.predict(pl.DataFrame({'wind': [1.0], 'airline': ['UA']})).shape)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, path], cwd=root, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("(1,)\n", "")


@pytest.mark.parametrize("columns", [COLUMNS, Columns(("wind",), ())])
def test_few_rows_get_the_answers_of_many(columns: Columns) -> None:
    """Also from several threads at once, which share the memory that it is bound to."""
    scaling = Scaling(np.zeros(1, np.float32), np.full(1, 10, np.float32))
    codes = [CategoryCodes(name, {"UA": 1}) for name in columns.categories]
    weights = np.array([[1.0], [1], [0], [2]][: 2 + 2 * len(codes)])
    plain = calibrated(from_linear(columns, scaling, weights, np.zeros(1), codes), PLAIN)
    model = Model(plain.SerializeToString(), "wind/1")
    winds, airlines = [10.0, -20.0, None, 0.0], ["UA", None, "never seen", "", "UA"]
    rows = [{"wind": winds[n % 4], "airline": airlines[n % 5]} for n in range(400)]
    wanted = model.predict(pl.DataFrame(rows, schema={"wind": pl.Float32, "airline": pl.String}))
    with ThreadPoolExecutor(8) as threads:
        for size in (1, 2, 7, 16, 17):
            parts = [rows[place : place + size] for place in range(0, len(rows), size)]
            found = list(threads.map(model.answer, parts))
            assert np.concatenate(found).tolist() == wanted.tolist(), size
            assert all(each.dtype == np.float64 for each in found)
