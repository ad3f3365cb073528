"""The commands that make, list and revoke the keys to the service."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from core.settings import CHECKOUT
from flows.__main__ import main

Say = Callable[..., CompletedProcess[str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command of flights in a home of its own, without any backend."""
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path / "home"))

    def say(*arguments: str, project: str = "flights") -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["flows", *arguments, "--project", project])
        return CompletedProcess(arguments, main(), *capsys.readouterr())

    return say


def test_a_key_is_printed_once_and_listed_without_it(say: Say) -> None:
    made = say("api-key", "--name", "web", "--scopes", "predict, outcomes", "--rate", "2.5")
    assert made.returncode == 0 and re.fullmatch(r"perennial_1_\S{43}\n", made.stdout)
    assert "not shown again" in made.stderr
    say("api-key", "--name", "bulk", "--scopes", "admin")
    listed = say("api-keys").stdout
    assert re.search(r"web +outcomes, predict +2.5/s +20\d\d-\d\d-\d\d \d\d:\d\d +- *\n", listed)
    assert re.search(r"bulk +admin +100/s", listed)
    assert "perennial_" not in listed
    assert say("revoke-key", "--name", "web").stdout == "revoked: web\n"
    assert re.search(
        r"web +outcomes, predict +2.5/s( +20\d\d-\d\d-\d\d \d\d:\d\d){2} *\n", say("api-keys").stdout
    )


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("api-key", "--name", "web"), "say NAME=… and SCOPES=…"),
        (("api-key", "--scopes", "predict"), "say NAME=… and SCOPES=…"),
        (("api-key", "--name", "web", "--scopes", "predcit"), "did you mean 'predict'?"),
        (
            ("api-key", "--name", "web", "--scopes", "admin", "--rate", "fast"),
            "RATE=fast: should be a number",
        ),
        (("revoke-key",), "which key? Say NAME="),
        (("revoke-key", "--name", "web"), "flights has no live key 'web'"),
    ],
)
def test_what_is_wrong_is_a_sentence(say: Say, command: tuple[str, ...], sentence: str) -> None:
    done = say(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and sentence in done.stderr


@pytest.mark.parametrize("command", ["api-keys", "api-key", "revoke-key"])
def test_an_unknown_project_is_a_sentence(say: Say, command: str) -> None:
    done = say(command, "--name", "web", "--scopes", "admin", project="fligths")
    assert done.returncode == 1 and "did you mean 'flights'?" in done.stderr


@pytest.mark.slow
def test_neither_prefect_nor_dask_is_loaded_for_a_key(tmp_path: Path) -> None:
    program = (
        "import sys; from flows.__main__ import main; assert main() == 0;"
        "print(sorted({'prefect', 'distributed'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "api-keys", "--project", "flights"],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={"PATH": "", "PERENNIAL_HOME": str(tmp_path)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
