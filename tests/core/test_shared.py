"""What is shared is made once, by one process of many, and whole or not at all."""

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.settings import CHECKOUT
from core.shared import Shared

# Makes one thing slowly, and tells in a folder that it began and ended.
_MAKER = """
import os, sys, time
from pathlib import Path
from core.shared import Shared
root = Path(sys.argv[1])
def make():
    (root / f"begun-{os.getpid()}").touch()
    time.sleep(float(sys.argv[2]))
    return {"by": os.getpid()}
print(Shared(root / "shared").once("fits", "abc", make)["by"])
"""


def maker(root: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _MAKER, str(root), str(seconds)]
    return subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


def test_what_was_made_is_read_and_never_made_again(tmp_path: Path) -> None:
    shared, made = Shared(tmp_path), []

    def make() -> dict[str, object]:
        made.append(1)
        return {"a": math.nan, "b": [1, 0.1 + 0.2], "c": None}

    for _ in range(3):
        found = shared.once("fits", "abc", make)
        assert (found["b"], found["c"]) == ([1, 0.1 + 0.2], None)
        assert math.isnan(found["a"])
    assert len(made) == 1
    assert shared.once("fits", "abd", lambda: 2) == 2  # another fingerprint
    assert shared.once("seen", "abc", lambda: 3) == 3  # another step


def test_arrays_come_back_to_the_last_bit(tmp_path: Path) -> None:
    shared, array = Shared(tmp_path), np.random.default_rng(1).normal(size=(5, 3))
    array[0, 0] = np.nan
    for make in (lambda: array, lambda: np.zeros(1)):
        np.testing.assert_array_equal(shared.array("answers", "abc", make), array)


def test_what_fails_is_made_by_the_next(tmp_path: Path) -> None:
    shared = Shared(tmp_path)

    def fail() -> None:
        raise ValueError("no rows")

    for _ in range(2):
        with pytest.raises(ValueError, match="no rows"):
            shared.once("fits", "abc", fail)
    assert shared.once("fits", "abc", lambda: 1) == 1
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left - {"abc.lock"} == {"abc.json"}


@pytest.mark.slow
def test_of_processes_that_want_the_same_one_makes_it(tmp_path: Path) -> None:
    found = [process.communicate(timeout=60)[0] for process in [maker(tmp_path, 0.5) for _ in range(3)]]
    assert len(set(found)) == 1
    assert len(list(tmp_path.glob("begun-*"))) == 1


@pytest.mark.slow
def test_one_that_is_killed_leaves_nothing_half_made(tmp_path: Path) -> None:
    killed = maker(tmp_path, 600)
    while not list(tmp_path.glob("begun-*")):
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert Shared(tmp_path / "shared").once("fits", "abc", lambda: {"by": 0}) == {"by": 0}


def test_one_that_fails_while_it_is_written_leaves_nothing_half_written(tmp_path: Path) -> None:
    shared, no_numbers = Shared(tmp_path), np.array([object()])
    with pytest.raises(ValueError, match="allow_pickle"):  # once the head of the file is written
        shared.array("answers", "abc", lambda: no_numbers)
    assert shared.array("answers", "abc", lambda: np.ones(2)).tolist() == [1.0, 1.0]
