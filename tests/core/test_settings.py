"""Settings: defaults that need nothing, and a place for all state that every process agrees on."""

import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SpecError
from core.settings import CHECKOUT, Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the environment but those of the test."""
    for name in list(os.environ):
        if name.startswith("PERENNIAL_"):
            monkeypatch.delenv(name)


def test_by_default_all_state_lies_in_the_checkout() -> None:
    settings = Settings()
    assert settings.home == CHECKOUT / ".perennial"
    assert settings.lake == str(settings.home / "lake")
    assert settings.registry == f"sqlite:///{settings.home / 'registry.db'}"
    assert settings.online == f"sqlite:///{settings.home / 'online.db'}"
    for place in (settings.reports, settings.files, settings.staging, settings.up):
        assert place.parent == settings.home
    assert (settings.projects / "flights" / "project.yaml").is_file()
    assert settings.dask is None
    assert settings.host == "127.0.0.1"
    assert (settings.prefect_port, settings.dask_port, settings.dashboard_port) == (4200, 8786, 8787)
    assert (settings.serve_host, settings.serve_port, settings.serve_workers) == ("127.0.0.1", 8000, 1)
    assert settings.serve_open is False


def test_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERENNIAL_HOME", str(tmp_path))
    monkeypatch.setenv("PERENNIAL_LAKE", "s3://bucket/lake")
    monkeypatch.setenv("PERENNIAL_REGISTRY", "postgresql+psycopg://host/base")
    monkeypatch.setenv("PERENNIAL_ONLINE", "redis://host:6379/0")
    monkeypatch.setenv("PERENNIAL_WORKERS", "7")
    monkeypatch.setenv("PERENNIAL_SERVE_WORKERS", "3")
    monkeypatch.setenv("PERENNIAL_SERVE_OPEN", "1")
    settings = Settings()
    assert (settings.serve_workers, settings.serve_open) == (3, True)
    assert settings.home == tmp_path
    assert settings.lake == "s3://bucket/lake"
    assert settings.registry == "postgresql+psycopg://host/base"
    assert settings.online == "redis://host:6379/0"
    assert settings.workers == 7
    assert Settings(home=tmp_path / "other").home == tmp_path / "other"


def test_a_place_is_the_same_wherever_a_process_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("PERENNIAL_HOME", "~/state")
    monkeypatch.setenv("PERENNIAL_PROJECTS", "projects")
    monkeypatch.setenv("PERENNIAL_LAKE", "lake")
    settings = Settings()
    assert settings.home == tmp_path / "me" / "state"
    assert settings.projects == tmp_path / "projects"
    assert settings.lake == str(tmp_path / "lake")
    assert settings.registry == f"sqlite:///{tmp_path / 'me' / 'state' / 'registry.db'}"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "LAKE", "REGISTRY", "ONLINE"):
        monkeypatch.setenv(f"PERENNIAL_{name}", "")
    assert Settings().lake == str(CHECKOUT / ".perennial" / "lake")
    assert Settings().online == f"sqlite:///{CHECKOUT / '.perennial' / 'online.db'}"


def test_a_misspelled_variable_is_an_error_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_WORKER", "7")
    with pytest.raises(
        SpecError, match="PERENNIAL_WORKER: no such setting; did you mean 'PERENNIAL_WORKERS'"
    ):
        Settings()


@pytest.mark.parametrize("value", ["many", "0", "1.5"])
def test_a_value_of_the_wrong_kind_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PERENNIAL_WORKERS", value)
    with pytest.raises(SpecError, match=f"PERENNIAL_WORKERS: should be .*, not '{value}'"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_PORT", "0"),
        ("DASK_PORT", "65536"),
        ("DASHBOARD_PORT", "http"),
        ("HOST", ""),
        ("SERVE_PORT", "80000"),
        ("SERVE_HOST", ""),
        ("SERVE_WORKERS", "0"),
        ("SERVE_OPEN", "loopback"),
    ],
)
def test_where_or_how_nothing_can_listen_is_an_error(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PERENNIAL_{name}", value)
    with pytest.raises(SpecError, match=f"PERENNIAL_{name}: .* not '{value}'"):
        Settings()


def test_the_password_of_the_online_store_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_ONLINE", "redis://me:hush-hush@host:6379/0")
    settings = Settings()
    assert "hush-hush" in settings.online
    assert "hush-hush" not in f"{settings} {settings!r}"
    monkeypatch.setenv("PERENNIAL_WORKERS", "none")
    with pytest.raises(SpecError) as raised:
        Settings()
    assert "hush-hush" not in "".join(traceback.format_exception(raised.value))


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().workers = 3


def test_what_the_user_chose_in_the_environment_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in Settings().environment():
        monkeypatch.setenv(name, "")  # so that it is set back in the end, also where it was not set
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    settings = Settings(home=tmp_path).apply()
    assert os.environ["OMP_NUM_THREADS"] == "4"
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert Settings() == settings


_DASK = """
from core.settings import Settings
Settings().apply()
import dask.config, distributed.nanny
print(dask.config.get("distributed.worker.profile.enabled"))
print("MALLOC_TRIM_THRESHOLD_" in distributed.nanny._get_env_variables("distributed.nanny.pre-spawn-environ"))
"""


def test_what_is_set_for_dask_reaches_it(start_python: Callable[..., subprocess.Popen[str]]) -> None:
    assert start_python(_DASK).communicate()[0] == "False\nFalse\n"


def test_nothing_of_the_environment_leads_out_of_the_home(tmp_path: Path) -> None:
    places = [value for value in Settings(home=tmp_path).environment().values() if value.startswith("/")]
    assert places and all(Path(place).is_relative_to(tmp_path) for place in places)
