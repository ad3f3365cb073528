"""Nothing is pickled to disk: not by the code of any room, and not in any file of a version."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pytest

from core.settings import CHECKOUT
from tests.pickles import faults, holds_pickle

# Reads frames of data packages, by a declared hash and with an unpickler that runs nothing; writes none.
READS = "core/sources/pickled.py"
ROOMS = ("core", "expectations", "features", "flows", "models", "monitoring", "reports", "stages", "tasks")


def code() -> Iterator[Path]:
    for room in ROOMS:
        yield from (CHECKOUT / room).rglob("*.py")


def test_the_reader_of_packages_loads_with_its_own_unpickler_alone() -> None:
    used = {node.attr for node in ast.walk(ast.parse((CHECKOUT / READS).read_text())) if _of_pickle(node)}
    assert used == {"Unpickler", "UnpicklingError"}


def _of_pickle(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"


def test_no_room_reads_or_writes_a_pickle() -> None:
    found = {str(path.relative_to(CHECKOUT)): faults(path.read_text()) for path in code()}
    assert len(found) > 200
    assert [fault.split(": ")[1] for fault in found.pop(READS)] == ["import pickle"]
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import dump",
        "torch.save(model, path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "frame.to_pickle(path)",
        "import torch; torch.jit.load(path)",
    ],
)
def test_a_planted_pickle_is_seen_in_code(line: str) -> None:
    assert faults(line)


def test_a_planted_pickle_is_seen_in_files(tmp_path: Path) -> None:
    for protocol in (2, 3, 4, 5):
        assert holds_pickle(pickle.dumps({"a": 1}, protocol))
    np.savez(tmp_path / "objects.npz", values=np.array([{}], object))
    assert holds_pickle((tmp_path / "objects.npz").read_bytes())
    np.savez(tmp_path / "numbers.npz", values=np.zeros(3))
    assert not holds_pickle((tmp_path / "numbers.npz").read_bytes())
