"""A fit of any family becomes files that may be served: the same answers, said of themselves, by hash."""

import hashlib
import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray

from core.errors import PerennialError
from core.learning import Constraints
from core.spec import Spec
from models.calibration.choose import fit_calibration
from models.family import Fitted, Job, Parameter, family
from models.fit import Fit
from models.onnx.describe import meanings, schema
from models.onnx.export import Variant, best, export
from models.problems.binary import Binary
from models.rows import Columns, Rows
from models.runtime.model import Model
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
    calibration = fit_calibration(
        model.margins(parts.validation.frame), parts.validation.labels, "sigmoid", (0.0,)
    )
    fit = Fit(name, kind.complexity, Binary(), model, calibration, columns, {}, {}, 0.0)
    fit.measures["holdout"] = Binary().measures(parts.holdout, fit.answers(parts.holdout.frame))
    return fit


@pytest.fixture(scope="module", params=list(PARAMETERS))
def exported(
    request: pytest.FixtureRequest,
    parts: Split,
    columns: Columns,
    spec: Spec,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Fit, tuple[Variant, ...]]:
    fit = fitted(request.param, parts, columns)
    folder = tmp_path_factory.mktemp(request.param)
    return fit, export(fit, parts, spec, folder, {"trained_until": "2013-01-31"})


def test_float32_is_the_native_model(exported: tuple[Fit, tuple[Variant, ...]], parts: Split) -> None:
    fit, (exact, *_) = exported
    assert exact.name == "float32"
    assert exact.kept, exact
    answers = Model.open(exact.path, exact.sha256).predict(parts.holdout.frame)
    np.testing.assert_allclose(answers, fit.answers(parts.holdout.frame), atol=1e-5)


def test_every_variant_is_told_of(exported: tuple[Fit, tuple[Variant, ...]], parts: Split) -> None:
    fit, variants = exported
    more = {"linear": [], "lightgbm": ["pruned"], "torch": ["int8", "float16", "dynamic"]}
    assert [variant.name for variant in variants] == ["float32", *more[fit.family]]
    for variant in variants:
        content = variant.path.read_bytes()
        assert (variant.sha256, variant.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        assert variant.parity.rows > len(parts.holdout)
        answers = Model.open(variant.path, variant.sha256).predict(parts.holdout.frame)
        assert variant.measures == fit.problem.measures(parts.holdout, answers)
        assert set(variant.rises) == {"validation", "holdout"}
        trees = {"TreeEnsemble": 1} if fit.family == "lightgbm" else {}
        assert variant.on_cpu == {"LabelEncoder": 2} | trees
        assert variant.note or variant.name == "float32"


def test_what_hangs_on_the_batch_is_refused_and_what_does_not_is_not(
    exported: tuple[Fit, tuple[Variant, ...]],
) -> None:
    for variant in exported[1]:
        if variant.name == "dynamic":
            assert not variant.kept
            assert variant.parity.unsteady > 0.5
            assert "hang on the rows beside them" in variant.note
        else:
            assert variant.parity.unsteady == 0


def test_trees_and_linear_models_say_why_there_is_no_int8(exported: tuple[Fit, tuple[Variant, ...]]) -> None:
    fit, (exact, *_) = exported
    note = {"lightgbm": "trees stay in float32", "linear": "no weights worth", "torch": ""}
    assert note[fit.family] in exact.note


def test_the_files_say_what_they_are(
    exported: tuple[Fit, tuple[Variant, ...]], columns: Columns, parts: Split
) -> None:
    fit, variants = exported
    for variant in variants:
        model = onnx.load(variant.path)
        said = {prop.key: prop.value for prop in model.metadata_props}
        assert said["trained_until"] == "2013-01-31"
        assert said["schema"] == schema(columns)
        assert (said["family"], said["problem"]) == (fit.family, "binary")
        assert said["onnx"] == onnx.__version__
        assert said["perennial"] == version("perennial")
        assert json.loads(said["metrics"]) == fit.measures
        assert json.loads(said["classes"]) == []
        trained = json.loads(said["range"])
        assert (trained["rows"], trained["first"]) == (len(parts.train), parts.train.times[0].isoformat())
        winds = parts.train.frame["wind"].drop_nulls()
        assert trained["numbers"]["wind"] == [winds.min(), winds.max()]
        assert [value.name for value in model.graph.input] == list(columns.names)
        assert [(one.domain, one.version) for one in model.opset_import] == [("", 21), ("ai.onnx.ml", 5)]
        told = {value.name: value.doc_string for value in [*model.graph.input, *model.graph.output]}
        assert told["wind"] == "wind at the airport; in m/s; float32, NaN where it is missing"
        assert told["route"] == "a string, empty where it is missing"
        assert told["probability"] == "late or not; float32"


@pytest.fixture(scope="module")
def linear(parts: Split, columns: Columns) -> Fit:
    return fitted("linear", parts, columns)


def test_export_again_gives_the_same_bytes(linear: Fit, parts: Split, spec: Spec, tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    one, two = (export(linear, parts, spec, folder) for folder in folders)
    assert [variant.sha256 for variant in one] == [variant.sha256 for variant in two]


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

    def contributions(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        return None


def test_a_graph_that_does_not_repeat_its_fit_is_not_served(
    linear: Fit, parts: Split, spec: Spec, tmp_path: Path
) -> None:
    variants = export(replace(linear, model=Otherwise(linear.model)), parts, spec, tmp_path)
    assert [variant.kept for variant in variants] == [False]
    with pytest.raises(PerennialError, match=r"no graph of this fit may be served.*the native model"):
        best(variants, Constraints())


def test_what_features_mean_reaches_the_graph_for_classes(spec: Spec) -> None:
    document = spec.model_dump(by_alias=True) | {"problem": "multiclass"}
    document["outcome"] |= {"classes": ("early", "late")}
    document["objective"] |= {"output": "how it arrives", "unit": "shares"}
    told = meanings(Spec.model_validate(document), "probabilities")
    assert told["probabilities"] == "how it arrives; in shares; float32, one for each of early, late"
