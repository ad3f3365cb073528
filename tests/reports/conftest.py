"""A year of a lifecycle as its flows would tell it, shared by the tests of this room."""

import math
from pathlib import Path
from typing import Any, cast

import pytest

from reports.lifecycle.page import Batch, Summary, page

FEATURES = {"late_rate": 0.5, "hour": 0.4, "temperature": 0.08, "wind": 0.02}


def batch(month: int, **facts: Any) -> Batch:
    quarantined = 3 * (month % 4)
    told: dict[str, Any] = {
        "batch": f"2013-{month:02d}",
        "received": 28_000 + month,
        "accepted": 28_000 + month - quarantined,
        "quarantined": quarantined,
        "champion": None,
        "auc": None,
        "log_loss": None,
        "drift": None,
        "decision": None,
        "reasons": [],
        "quarantine_reasons": {"distance: not between 0 and 6000": quarantined} if quarantined else {},
    }
    told.update(facts)
    return cast(Batch, told)


def scored(month: int, champion: int, decision: str, reasons: list[str], **facts: Any) -> Batch:
    auc = 0.72 - 0.01 * (month % 5)
    points = [{"predicted": p / 10, "observed": p / 10 - 0.01, "rows": 2_000} for p in range(1, 7)]
    told: Any = {
        "champion": f"flights/{champion}",
        "auc": auc,
        "auc_interval": [auc - 0.03, auc + 0.03],
        "baseline_auc": auc - 0.01,
        "log_loss": 0.5,
        "base_rate": 0.2 + 0.01 * month,
        "calibration_error": 0.01 * (month % 4),
        "calibration": points,
        "drift": 0.1,
        "prediction_drift": 0.05,
        "feature_drift": {name: 0.03 * month * (1 - share) for name, share in reversed(FEATURES.items())},
        "decision": decision,
        "reasons": reasons,
        "drift_page": f"../drift/2013-{month:02d}.html",
    }
    return batch(month, **(told | facts))


@pytest.fixture
def summary() -> Summary:
    """The year, for a test to change."""
    return year()


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, Path]:
    """The year as it is, and the folder of its page."""
    folder = tmp_path_factory.mktemp("lifecycle")
    page(year(), folder)
    return year(), folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site of the year, with a replay."""
    from tests.reports.sites import replay, write_site  # which takes the year from here

    folder = tmp_path_factory.mktemp("site")
    write_site(folder, replayed=replay())
    return folder


def year() -> Summary:
    """Twelve months: three to learn from, a release, a refused challenger, and a month that stopped."""
    fell = [
        "AUC 0.671 is 0.041 below the reference 0.712 (limit 0.020)",
        "Prediction drift 0.05 (limit 0.20)",
    ]
    calm = ["AUC 0.710 is 0.002 below the reference 0.712 (limit 0.020)"]
    files: Any = [
        {"name": "model.onnx", "bytes": 918_000, "sha256": "ab" * 32, "p50_us": 9.2, "p99_us": 14.0},
        {"name": "model.int8.onnx", "bytes": 265_000, "kept": False, "note": "AUC fell by 0.004"},
    ]
    return {
        "project": "flights",
        "title": "Late arrivals from New York",
        "wall_seconds": 243.7,
        "batches": [
            batch(1),
            batch(2),
            batch(3, challenger="flights/2", retrained="flights/2"),
            scored(4, 2, "nothing", calm),
            scored(5, 2, "retrain stateless", fell, challenger="flights/5", retrained="flights/5"),
            scored(6, 5, "watch", ["1 of 4 inputs drifted"], auc_interval=[math.nan, math.nan]),
            batch(7, status="stopped", stopped="the file ends in the middle of row 4", received=0, accepted=0,
                  quarantined=0),
            scored(8, 5, "nothing", calm, baseline_auc=math.nan),
            scored(9, 5, "retrain stateless", fell, challenger="flights/8"),
            scored(10, 5, "nothing", calm),
            scored(11, 5, "nothing", calm),
            scored(12, 5, "nothing", calm),
        ],
        "versions": [
            {"version": "flights/2", "family": "lightgbm", "stage": "retired", "metrics": {"auc": 0.71234},
             "files": files[:1]},
            {"version": "flights/5", "family": "torch", "stage": "champion",
             "metrics": {"auc": 0.72, "log_loss": 0.4857, "calibration_error": math.nan}, "files": files},
            {"version": "flights/8", "family": "linear", "stage": "challenger", "metrics": {}, "files": []},
        ],
        "importance": FEATURES,
        "drift_threshold": 0.2,
    }  # fmt: skip
