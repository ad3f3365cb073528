"""Lineage: what made a version, so that the same can be made again."""

import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from typing import Any

from core.ledger import fingerprint
from core.settings import CHECKOUT
from core.spec import Gate, Spec
from models.registry.versions import Lineage
from stages.data.retained import FEATURES, gone
from stages.workspace import Workspace

TABLES = ("features", "outcomes")
LATER = ("monitoring", "release", "replay", "schedules", "alerts", "serving", "retention")
"""What a spec says of what is done with a model once it is there."""
DECIDED_BY = ("gain", "newer_margin", "max_calibration_error")  # of the gate, and no file or figure of a fit
PACKAGES = ("lightgbm", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "polars", "scikit-learn", "torch")


def tables(workspace: Workspace) -> dict[str, int]:
    """The newest versions of the tables that models are fitted on."""
    return {table: workspace.lake.version(table) for table in TABLES}


def learnt_by(spec: Spec, as_of: datetime, *, stateful: bool) -> Spec:
    """The spec as far as a fit that stands at `as_of` hangs on it.

    What is done with a model later makes it no other, nor does a window that reaches back to the first batch.
    """
    whole = Spec.model_fields
    later = {name: whole[name].get_default(call_default_factory=True) for name in LATER}
    given = {
        "stateful": spec.training.stateful if stateful else None,
        "window": None if _reaches_all(spec, as_of) else spec.training.window,
    }
    training = spec.training.model_copy(update=given)
    rules = {name: Gate.model_fields[name].default for name in DECIDED_BY}
    return spec.model_copy(update={**later, "training": training, "gate": spec.gate.model_copy(update=rules)})


def _reaches_all(spec: Spec, as_of: datetime) -> bool:
    window, batches = spec.training.window, spec.batches.calendar().batches()
    return window is not None and as_of - window <= batches[0].start


def lineage(
    workspace: Workspace,
    as_of: datetime,
    read: Mapping[str, int],
    *,
    trained_until: datetime,
    learnt_until: datetime,
    parameters: Mapping[str, Mapping[str, Any]],
    starts: Mapping[str, str],
    keeps: str | None = None,
    calibrated_since: datetime | None = None,
) -> Lineage:
    """All that made a fit which stood at `as_of` and read these versions of its tables."""
    built = workspace.ledger.results("features").keys() - gone(workspace, FEATURES).keys()
    return Lineage(
        tables=read,
        batches=tuple(batch.id for batch in workspace.batches(as_of) if batch.id in built),
        as_of=as_of,
        code=revision(),
        settings=fingerprint(learnt_by(workspace.spec, as_of, stateful=bool(starts)).model_dump(mode="json")),
        packages=packages(),
        seed=workspace.spec.training.seed,
        trained_until=trained_until,
        learnt_until=learnt_until,
        parameters=parameters,
        starts=starts,
        keeps=keeps,
        calibrated_since=calibrated_since,
    )


def packages() -> dict[str, str]:
    """The versions of the installed packages that a fit hangs on."""
    return {name: metadata.version(name) for name in PACKAGES if _is_installed(name)}


def revision() -> str:
    """The git revision of the checkout, marked where files differ from it; "unknown" outside git."""
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or "unknown"


def code() -> str:
    """The revision and, where files differ from it, what stands for how: another edit is other code."""
    found = revision()
    return f"{found} {fingerprint(_git('diff', 'HEAD'))}" if found.endswith("-dirty") else found


def _git(*arguments: str) -> str:
    """What git says of the checkout, or "" where it says nothing."""
    command = ["git", "-C", str(CHECKOUT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
