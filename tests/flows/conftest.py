"""Commands as the make targets call them, on the server and the cluster of the session."""

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from core.settings import CHECKOUT, Settings

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(
    inhabit: Callable[[Settings], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command (of flights, by default) in this process, on the session's server and cluster."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):  # a command does not say again what it raises
        monkeypatch.setattr(logging.getLogger(name), "filters", [*logging.getLogger(name).filters])

    def run(
        settings: Settings, *arguments: str, suites: Path = CHECKOUT / "expectations"
    ) -> CompletedProcess[str]:
        from flows.__main__ import main

        project = () if "--project" in arguments else ("--project", "flights")
        monkeypatch.setattr(sys, "argv", ["flows", *arguments, *project])
        with inhabit(settings.model_copy(update={"suites": suites})):
            code = main()
        return CompletedProcess(arguments, code, *capsys.readouterr())

    return run
