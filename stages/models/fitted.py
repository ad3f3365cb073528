"""Fits that were made before: read back from the store, to go on from or to be part of another."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.spec import Spec
from models.family import Fitted, family
from models.registry.versions import Version
from models.rows import Rows
from stages.workspace import Workspace

NATIVE = "native/"
MIN_NEW_ROWS = 20


def load(workspace: Workspace, name: str, files: Mapping[str, str]) -> Fitted:
    """The native model of a family from its kept files (SHA-256 by name), each verified.

    Raises IntegrityError when a file is missing or was changed.
    """
    with tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="fit-") as folder:
        for title, digest in files.items():
            if title.startswith(NATIVE):
                target = Path(folder) / title.removeprefix(NATIVE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(workspace.registry.kept(digest, f"{name} {title}"), target)
        return family(name).load(Path(folder))


def start_of(workspace: Workspace, name: str, champion: Version | None) -> Version | None:
    """The version that a fit of this family goes on from: the champion, where it is one of the family.

    None where fits are from nothing: because another family serves, or for an `obstacle`.
    """
    if champion is None or champion.family != name:
        return None
    return None if obstacle(workspace, champion) else champion


def obstacle(workspace: Workspace, champion: Version) -> str | None:
    """Why no fit can go on from the champion; None where one can, and the spec lets it."""
    rules = workspace.spec.training.stateful
    if rules is None:
        return "by the spec (training.stateful) every fit is from nothing"
    if "start" not in family(champion.family).abilities:
        return f"the family {champion.family} cannot go on from a fit"
    if champion.metrics.get("columns") != list(workspace.spec.features):
        return f"the features are no longer those of {champion}"
    if _in_a_row(workspace, champion) + 1 >= rules.full_every:
        return f"one fit in {rules.full_every} is from nothing (training.stateful.full_every)"
    return None


def rows_since(train: Rows, start: Version, spec: Spec) -> Rows | None:
    """The rows that are new since a version learnt, with a share of older ones, against forgetting.

    None where fewer than 20 are new: there is nothing to go on with.
    """
    rules, learnt = spec.training.stateful, start.lineage.learnt_until
    if rules is None or learnt is None:
        return None
    new = (train.times > learnt).to_numpy()
    if new.sum() < MIN_NEW_ROWS:
        return None
    old = np.flatnonzero(~new)
    wanted = min(len(old), round(rules.replay * int(new.sum())))
    again = np.random.default_rng(spec.training.seed).choice(old, wanted, replace=False)
    return train.at(np.sort(np.concatenate([again, np.flatnonzero(new)])))


def _in_a_row(workspace: Workspace, version: Version) -> int:
    """How many fits in a row, this one the last, went on from another."""
    run, current = 0, version
    while start := current.lineage.starts.get(current.family):
        run, current = run + 1, workspace.registry.version(start)
    return run
