"""The graph of a calibration says what the calibration says, at every batch size."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration.choose import Calibration, uncalibrated
from models.onnx.calibration import calibration_graph

KNOTS, VALUES = (-3.3, -1.0, -0.7, 0.0, 0.1, 4.2), (-5.0, -2.2, -1.9, 0.4, 1.4, 2.1)
CALIBRATIONS = {
    "none": uncalibrated("sigmoid", (-1.7,)),
    "temperature": Calibration("temperature", "sigmoid", (0.0,), (0.37,), (0.0,)),
    "platt": Calibration("platt", "sigmoid", (0.3,), (7.3,), (-1.9,)),
    "isotonic": Calibration("isotonic", "sigmoid", (0.1,), (1.3,), (-0.2,), KNOTS, VALUES),
    "classes": Calibration("platt", "softmax", (0.1, -2.0, 0.0), (1.7, 0.9, 1.2), (0.0, 3.0, -1.0)),
    "quantiles": uncalibrated("sorted", (0.0, 0.0, 0.0)),
    "one quantile": Calibration("shift", "sorted", (0.0,), (1.0,), (0.75,)),
    "shifted quantiles": Calibration("shift", "sorted", (0.0,) * 3, (1.0,) * 3, (-0.3, 1.5, 0.9)),
    "value": Calibration("linear", "identity", (0.0,), (2.5,), (-0.75,)),
    "bent value": Calibration("isotonic", "identity", (0.0,), (1.0,), (0.0,), KNOTS, VALUES),
}


def session(calibration: Calibration) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = calibration_graph(calibration, "answer").SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(graph: ort.InferenceSession, margins: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    parts = [margins[start : start + size] for start in range(0, len(margins), size)]
    return np.concatenate([graph.run(["answer"], {"margin": part})[0] for part in parts])


def awkward(calibration: Calibration) -> NDArray[np.float32]:
    """Margins in -50..50, and on each knot and one float32 to either side."""
    width, random = len(calibration.offset), np.random.default_rng(1)
    knots = (np.array(calibration.knots) - calibration.intercept[0]) / calibration.slope[0]
    on = (knots - calibration.offset[0]).astype(np.float32)
    beside = [on, np.nextafter(on, np.float32(np.inf)), np.nextafter(on, np.float32(-np.inf))]
    edges = np.tile(np.concatenate([*beside, np.float32([-50, -0.0, 0, 50])])[:, None], width)
    spread = random.uniform(-50, 50, (600, width))
    tied = np.repeat(random.uniform(-50, 50, (200, 1)), width, axis=1) + random.normal(0, 1, (200, width))
    return np.concatenate([edges, spread, random.normal(0, 2, (600, width)), tied]).astype(np.float32)


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_the_graph_says_what_the_calibration_says(calibration: Calibration) -> None:
    margins, graph = awkward(calibration), session(calibration)
    expected = calibration.apply(margins.astype(np.float64)).reshape(len(margins), -1)
    whole = run(graph, margins, len(margins))
    assert (whole.dtype, whole.shape) == (np.float32, expected.shape)
    # Half a float32 step of the answer itself, and for probabilities no more than 1e-7.
    np.testing.assert_allclose(whole, expected, rtol=6e-8, atol=6e-8)
    for size in (1, 2, 63, 1000):
        np.testing.assert_array_equal(run(graph, margins, size), whole)


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_nan_is_never_a_plausible_number(calibration: Calibration) -> None:
    margins = np.zeros((70, len(calibration.offset)), np.float32)
    margins[13, 0] = np.nan
    for size in (1, 2, 70):
        answers = run(session(calibration), margins, size)
        assert np.isnan(answers[13]).all()
        assert np.isfinite(np.delete(answers, 13, axis=0)).all()
    assert np.isnan(calibration.apply(margins.astype(np.float64))[13]).all()


@pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_margins_beyond_all_reason(calibration: Calibration) -> None:
    if calibration.link == "softmax":
        margins = np.float32([[1e6, 1e6, -1e6], [-3e38, 0, 3e38], [1e6, 1e6 - 0.5, 1e6]])
    else:
        margins = np.float32([[-np.inf], [-3e37], [-1e6], [1e6], [3e37], [np.inf]])
        margins = np.tile(margins, len(calibration.offset))
    expected = calibration.apply(margins.astype(np.float64)).reshape(len(margins), -1)
    np.testing.assert_allclose(run(session(calibration), margins, 10), expected, rtol=1e-7, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1e-4, 9), st.floats(0.05, 10)), min_size=2, max_size=50),
    st.floats(-20, 20),
    st.floats(0.01, 20),
    st.floats(-20, 20),
)
def test_any_curve(steps: list[tuple[float, float]], offset: float, slope: float, shift: float) -> None:
    widths, rises = np.array(steps).T
    knots, values = shift + np.cumsum(widths), -3 + np.cumsum(widths * rises)
    points = tuple(knots.tolist()), tuple(values.tolist())
    calibration = Calibration("isotonic", "sigmoid", (offset,), (slope,), (0.5,), *points)
    margins = np.sort(awkward(calibration), axis=0)
    answers = run(session(calibration), margins, 1000)
    expected = calibration.apply(margins.astype(np.float64))
    np.testing.assert_allclose(answers[:, 0], expected, rtol=0, atol=1e-7)
    assert np.all(np.diff(answers[:, 0]) >= 0)
