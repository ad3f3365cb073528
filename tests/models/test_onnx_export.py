"""A fit of any family becomes files that may be served: the same answers, said of themselves, by hash."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray

from core.errors import PerennialError
from models.calibrate import fit_calibration
from models.evaluate import measures
from models.family import Fitted, Job, Parameter, family
from models.fit import Fit
from models.onnx.export import Variant, best, export, weighed
from models.onnx.latency import Latency
from models.onnx.parity import Parity
from models.problems.binary import Binary
from models.rows import Columns, Rows
from models.runtime import Model
from models.split import Split

pytestmark = pytest.mark.slow

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "linear": {},
    "lightgbm": {"rounds": 30, "min_data_in_leaf": 20},
    "torch": {"batch_rows": 64, "epochs": 3, "min_rows": 1, "hidden": [256, 64]},
}


@pytest.fixture(scope="module")
def parts(rows_frame: pl.DataFrame) -> Split:
    return Split(Rows.of(rows_frame[:1800]), Rows.of(rows_frame[1800:2400]), Rows.of(rows_frame[2400:]))


def fitted(name: str, parts: Split, columns: Columns) -> Fit:
    kind = family(name)
    model = kind.fit(Job(Binary(), columns, parts.train, parts.validation, PARAMETERS[name], 1))
    margins = model.margins(parts.validation.frame)
    calibration = fit_calibration(margins, parts.validation.labels, "sigmoid", (0.0,))
    return Fit(name, kind.complexity, Binary(), model, calibration, columns, {}, {}, 0.0)


@pytest.fixture(scope="module", params=list(PARAMETERS))
def exported(
    request: pytest.FixtureRequest, parts: Split, columns: Columns, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Fit, tuple[Variant, ...]]:
    fit = fitted(request.param, parts, columns)
    folder = tmp_path_factory.mktemp(request.param)
    return fit, export(fit, parts, folder, {"trained_until": "2013-01-31"})


def test_every_variant_may_be_served(exported: tuple[Fit, tuple[Variant, ...]], parts: Split) -> None:
    fit, variants = exported
    names = [variant.name for variant in variants]
    assert names == (["float32", "int8"] if fit.family == "torch" else ["float32"])
    native = fit.answers(parts.holdout.frame)
    for variant in variants:
        content = variant.path.read_bytes()
        assert (variant.sha256, variant.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        assert variant.kept, variant
        assert variant.parity.rows > len(parts.holdout)
        answers = Model.open(variant.path, variant.sha256).predict(parts.holdout.frame)
        assert variant.measures == measures(parts.holdout.labels, answers)
        np.testing.assert_allclose(answers, native, atol=1e-5 if variant.name == "float32" else 0.05)


def test_the_smallest_is_served(exported: tuple[Fit, tuple[Variant, ...]]) -> None:
    fit, variants = exported
    chosen = best(variants)
    assert chosen.name == ("int8" if fit.family == "torch" else "float32")
    note = {"lightgbm": "trees stay in float32", "linear": "no weight matrix", "torch": "times smaller"}
    assert note[fit.family] in chosen.note


def test_the_files_say_what_they_are(exported: tuple[Fit, tuple[Variant, ...]], columns: Columns) -> None:
    _, variants = exported
    for variant in variants:
        model = onnx.load(variant.path)
        said = {prop.key: prop.value for prop in model.metadata_props}
        assert said["trained_until"] == "2013-01-31"
        assert len(said["schema"]) == 64
        assert said["onnx"] == onnx.__version__
        assert [value.name for value in model.graph.input] == list(columns.names)
        assert [(one.domain, one.version) for one in model.opset_import] == [("", 21), ("ai.onnx.ml", 5)]


@pytest.fixture(scope="module")
def two(parts: Split, columns: Columns, tmp_path_factory: pytest.TempPathFactory) -> tuple[Variant, ...]:
    return export(fitted("linear", parts, columns), parts, tmp_path_factory.mktemp("linear"))


def test_export_again_gives_the_same_bytes(
    two: tuple[Variant, ...], parts: Split, columns: Columns, tmp_path: Path
) -> None:
    again = export(fitted("linear", parts, columns), parts, tmp_path)
    assert [variant.sha256 for variant in again] == [variant.sha256 for variant in two]


@dataclass(frozen=True)
class Otherwise:
    """A model whose native answers are not those that its graph was made of."""

    model: Fitted

    def margins(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        return self.model.margins(frame) + 0.001

    def graph(self) -> onnx.ModelProto:
        return self.model.graph()

    def save(self, folder: Path) -> None:
        self.model.save(folder)

    def importance(self) -> dict[str, float]:
        return self.model.importance()


def test_a_graph_that_does_not_repeat_its_fit_is_not_served(
    parts: Split, columns: Columns, tmp_path: Path
) -> None:
    fit = fitted("linear", parts, columns)
    variants = export(replace(fit, model=Otherwise(fit.model)), parts, tmp_path)
    assert [variant.kept for variant in variants] == [False]
    with pytest.raises(PerennialError, match=r"no graph of this fit may be served.*not the native model"):
        best(variants)


def variant(name: str, size: int, speed: float, loss: float, auc: float, kept: bool = True) -> Variant:
    same, times = Parity(10, (1,), 0.0, 0.0, 0.0, kept), Latency(10.0, 20.0, speed)
    return Variant(name, Path(name), "", size, same, times, {"log_loss": loss, "auc": auc}, kept, "")


EXACT = variant("float32", 1000, 100.0, 0.5, 0.7)


@pytest.mark.parametrize(
    ("small", "kept"),
    [
        (variant("int8", 400, 100, 0.5, 0.7), True),  # smaller
        (variant("int8", 900, 140, 0.5, 0.7), True),  # faster
        (variant("int8", 900, 110, 0.5, 0.7), False),  # neither
        (variant("int8", 400, 40, 0.5, 0.7), False),  # smaller, but far slower
        (variant("int8", 400, 140, 0.502, 0.7), False),  # costs log loss
        (variant("int8", 400, 140, 0.5, 0.698), False),  # costs AUC
        (variant("int8", 400, 140, 0.5, float("nan")), True),  # one class: no AUC to cost
        (variant("int8", 400, 140, 0.5, 0.7, kept=False), False),  # unsteady
    ],
)
def test_a_quantized_graph_is_kept_where_it_gains_and_costs_little(small: Variant, kept: bool) -> None:
    found = weighed(small, EXACT)
    assert found.kept == kept
    assert best([EXACT, found]) == (found if kept else EXACT)


def test_a_quantized_graph_falls_with_the_one_it_was_made_of() -> None:
    wrong = replace(EXACT, kept=False)
    assert not weighed(variant("int8", 400, 140, 0.5, 0.7), wrong).kept
