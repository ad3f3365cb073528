"""What a graph says of itself: what its columns mean, what it was fitted on, how good it is, what made it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version

import numpy as np
import onnxruntime as ort

from core.plain import plain
from core.spec import Spec
from models.fit import Fit
from models.problems.quantiles import Quantiles
from models.rows import Columns, Rows, numbers

# "perennial" is the converter.
PACKAGES = ("perennial", "lightgbm", "onnx", "onnxscript", "torch")
MISSING = {
    "number": "float32, NaN where it is missing",
    "category": "a string, empty where it is missing",
    "text": "free text, empty where it is missing",
}


def meanings(spec: Spec, output: str) -> dict[str, str]:
    """What each feature is, and the answer that is called `output`: meaning, unit and type.

    It becomes the `doc_string` of the graph's inputs and outputs.
    """
    found = {
        name: _told(feature.meaning, feature.unit, MISSING[feature.kind])
        for name, feature in spec.features.items()
    }
    several = spec.outcome.classes or [f"the quantile {level:g}" for level in spec.objective.quantiles]
    kind = f"float32, one for each of {', '.join(several)}" if several else "float32"
    return found | {
        output: _told(spec.objective.output or spec.objective.learning, spec.objective.unit, kind)
    }


def facts(fit: Fit, train: Rows, given: Mapping[str, str]) -> dict[str, str]:
    """The `metadata_props` of a fit's graphs, beside the `given` ones; what is nested is JSON.

    `schema` is the hash of the columns in their order, `classes` or `quantiles` are those of the answer,
    `range` is that of the training rows: first and last event time, and least and largest of each number.
    """
    told = {
        "family": fit.family,
        "problem": fit.problem.kind,
        "schema": schema(fit.columns),
        "classes": json.dumps(fit.problem.outputs if fit.problem.output == "probabilities" else ()),
        "quantiles": json.dumps(fit.problem.levels if isinstance(fit.problem, Quantiles) else ()),
        "range": json.dumps(training_range(train, fit.columns)),
        "metrics": json.dumps(plain(fit.measures)),
        "onnxruntime": ort.__version__,
    }
    return told | {name: version(name) for name in PACKAGES} | dict(given)


def schema(columns: Columns) -> str:
    """The SHA-256 of the columns in their order.

    >>> schema(Columns(("wind",), ())) == schema(Columns((), ("wind",)))
    False
    """
    return hashlib.sha256(json.dumps(asdict(columns)).encode()).hexdigest()


def training_range(rows: Rows, columns: Columns) -> dict[str, object]:
    """The rows' number, first and last event time, and [least, largest] of each number; None without any."""
    values = numbers(rows.frame, columns).astype(np.float64)
    known = ~np.isnan(values)
    least = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    largest = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    bounds = zip(columns.numbers, least.tolist(), largest.tolist(), strict=True)
    return {
        "rows": len(rows),
        "first": rows.times[0].isoformat(),
        "last": rows.times[-1].isoformat(),
        "numbers": {name: [low, high] if low <= high else None for name, low, high in bounds},
    }


def _told(meaning: str, unit: str, kind: str) -> str:
    """Only what is known of it."""
    return "; ".join(part for part in (meaning, unit and f"in {unit}", kind) if part)
