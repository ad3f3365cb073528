"""A cluster by address: its workers must keep their state where the process does that sends them work."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import PerennialError
from tasks.fanout import cluster

pytestmark = pytest.mark.slow

_CLUSTER = """
import distributed, sys
here = {"host": "127.0.0.1", "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
with distributed.LocalCluster(n_workers=1, processes=False, **here) as local:
    print(local.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running cluster, whose worker lives in a home of its own."""
    home = tmp_path / "theirs"
    monkeypatch.setenv("PERENNIAL_HOME", str(home))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _CLUSTER], **pipes) as process:
        assert process.stdout and process.stdin
        monkeypatch.setenv("PERENNIAL_DASK", process.stdout.readline().strip())
        yield home
        process.stdin.close()


def test_workers_of_another_home_are_refused(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster() as address:
        assert address
    monkeypatch.setenv("PERENNIAL_HOME", str(elsewhere.with_name("ours")))
    with pytest.raises(PerennialError, match="has another PERENNIAL_HOME than this process"), cluster():
        pass


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    monkeypatch.setenv("PERENNIAL_DASK", "nonsense://127.0.0.1:1")
    with pytest.raises(PerennialError, match="no scheduler answers at nonsense"), cluster():
        pass
