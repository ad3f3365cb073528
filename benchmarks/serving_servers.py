"""The servers that are measured, each a process (with its workers) of its own, one worker each."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from benchmarks.serving_client import Target, at_once
from benchmarks.serving_home import PROJECT, Home
from core.errors import PerennialError
from core.settings import CHECKOUT
from flows.backend import free_port

PATIENCE = 30.0  # seconds in which a server has to answer
PATH = f"/v1/{PROJECT}/predict"
PEERS = CHECKOUT / "benchmarks" / "serving_peers.txt"


@contextmanager
def ours(home: Home) -> Iterator[int]:
    """Our service, as `make serve` starts it; its port."""
    port = free_port()
    command = [sys.executable, "-m", "flows", "serve", "--project", PROJECT]
    ready = Target.of(port, PATH, home.body, key=home.key)
    with _running(command, ready, {"PERENNIAL_SERVE_PORT": str(port)}):
        yield port


@contextmanager
def empty(home: Home, app: str = "app") -> Iterator[Target]:
    """The app with an empty handler, or its `bare_app`."""
    port = free_port()
    quiet = ["--no-access-log", "--log-level", "warning", "--no-server-header"]
    served = ["--factory", f"benchmarks.serving_empty:{app}", "--port", str(port)]
    target = Target.of(port, PATH, home.body)
    with _running([sys.executable, "-m", "uvicorn", *quiet, *served], target):
        yield target


def peers_python(folder: Path) -> Path:
    """The Python of an environment with the peers, which is made; PerennialError where it cannot be."""
    environment = folder / "peers"
    python = environment / "bin" / "python"
    print("installing MLflow and BentoML in an environment of their own", flush=True)
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PEERS)],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise PerennialError(f"the peers cannot be installed: {(done.stderr.splitlines() or ['?'])[-1]}")
    return python


@contextmanager
def mlflow(home: Home, python: Path) -> Iterator[Target]:
    """MLflow's scoring server, as `mlflow models serve` starts it, but without a log of each request."""
    port, folder = free_port(), python.parent.parent / "model"
    if not folder.exists():
        saving = [str(python), str(CHECKOUT / "benchmarks" / "serving_mlflow.py")]
        subprocess.run([*saving, str(home.graph), json.dumps(home.row), str(folder)], check=True)
    app, quiet = "mlflow.pyfunc.scoring_server.app:app", ["--no-access-log", "--log-level", "warning"]
    command = [str(python), "-m", "uvicorn", "--port", str(port), *quiet, app]
    columns = {name: [[value]] for name, value in home.row.items()}
    target = Target.of(port, "/invocations", json.dumps({"inputs": columns}).encode())
    with _running(command, target, {"__pyfunc_model_path__": str(folder)}):
        yield target


@contextmanager
def bentoml(home: Home, python: Path) -> Iterator[Target]:
    """BentoML's server."""
    port = free_port()
    command = [
        str(python),
        "-m",
        "bentoml",
        "serve",
        "benchmarks/serving_bento.py:Champion",
        "--port",
        str(port),
    ]
    target = Target.of(port, "/predict", json.dumps({"row": home.row}).encode())
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(python.parent.parent / "bentoml")}
    with _running(command, target, {"BENCHMARK_GRAPH": str(home.graph), **quiet}):
        yield target


@contextmanager
def _running(
    command: Sequence[str], ready: Target, variables: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A command that runs, once it answers the request; PerennialError where it does not."""
    environment = {**os.environ, **(variables or {})}
    process = subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = monotonic() + PATIENCE
        while not _answers(ready):
            if process.poll() is not None or monotonic() > deadline:
                raise PerennialError(f"{' '.join(command[:6])} does not answer")
            sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(target: Target) -> bool:
    try:
        return not at_once(target, 1, 1).failed
    except OSError:
        return False
