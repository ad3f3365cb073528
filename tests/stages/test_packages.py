"""Packages of data: pip installs them as the spec declares them, from wheels that the test builds."""

import sys
import venv
import zipfile
from collections.abc import Callable
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest

from core.errors import DeliveryError, PerennialError, SpecError
from core.projects import Project, load
from core.settings import Settings
from stages.data import packages

pytestmark = pytest.mark.slow

MakeProject = Callable[..., Project]

SPEC = """
name: {name}
title: A market
objective: {{business: b, learning: l}}
problem: binary
batches: {{every: 1mo, start: 2013-01-01, end: 2014-01-01}}
events: sales
datasets:
  sales:
    source: {{kind: package, package: fruit, {source}, terms: CC0}}
    columns: {{id: integer, sold: boolean, at: datetime}}
    key: [id]
    event_time: at
decision: {{before: at, lead: 1h}}
outcome: {{label: sold, known_at: at, maturity: 1d}}
features: {{n: {{from: row, column: id, kind: number}}}}
"""


def stock(version: str) -> bytes:
    """What the file of a version holds."""
    return f"id,sold,at\n{version},true,2013-01-01\n".encode()


def declared(version: str, file: str = "stock.csv") -> str:
    """A source's version, file and hash, as a spec has them."""
    return f"version: '{version}', file: {file}, sha256: {sha256(stock(version)).hexdigest()}"


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip installs for this test: an environment without a pip of its own, on this process' path."""
    venv.create(tmp_path / "venv", with_pip=False)
    (place,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    monkeypatch.syspath_prepend(place)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    settings = {
        "PIP_PYTHON": tmp_path / "venv" / "bin" / "python",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": wheels,
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return place


@pytest.fixture
def offer(tmp_path: Path) -> Callable[[str], Path]:
    """Builds a wheel of the package `fruit`; it requires what is nowhere, and its code must not run."""

    def build(version: str) -> Path:
        path = tmp_path / "wheels" / f"fruit-{version}-py3-none-any.whl"
        info = f"fruit-{version}.dist-info"
        told = f"Metadata-Version: 2.1\nName: fruit\nVersion: {version}\nRequires-Dist: no-such-thing\n"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("fruit/__init__.py", "raise RuntimeError('it is imported')")
            wheel.writestr("fruit/stock.csv", stock(version))
            wheel.writestr(f"{info}/METADATA", told)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return path

    return build


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Loads a project whose one dataset is a file of `fruit`."""

    def make(source: str, name: str = "market") -> Project:
        folder = tmp_path / "projects" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "project.yaml").write_text(SPEC.format(name=name, source=source))
        return load(name, Settings(home=tmp_path / "home", projects=tmp_path / "projects"))

    return make


def test_what_is_missing_is_installed_and_found_without_a_new_process(
    offer: Callable[[str], Path], make_project: MakeProject
) -> None:
    offer("1.0")
    project = make_project(declared("1.0"))
    assert packages.lacking([project]) == ["fruit==1.0"]
    packages.install(["fruit==1.0"])
    assert packages.lacking([project]) == []
    (package,) = packages.held(project)
    assert package == packages.Package("fruit", "1.0", ("stock.csv",), ("CC0",))
    assert "fruit" not in sys.modules


def test_another_version_and_a_damaged_file_are_installed_anew(
    offer: Callable[[str], Path], make_project: MakeProject, site: Path
) -> None:
    offer("1.0")
    offer("2.0")
    packages.install(["fruit==1.0"])
    project = make_project(declared("2.0"))
    with pytest.raises(DeliveryError, match=r"installed as 1\.0, and market's spec declares 2\.0"):
        packages.held(project)
    packages.install(packages.lacking([project]))
    assert metadata.version("fruit") == "2.0"
    (site / "fruit" / "stock.csv").write_text("id\n")
    assert packages.lacking([project]) == ["fruit==2.0"]
    packages.install(packages.lacking([project]))
    assert packages.held(project)[0].version == "2.0"


def test_a_file_of_another_hash_is_told_when_the_package_has_no_other(
    offer: Callable[[str], Path], make_project: MakeProject
) -> None:
    offer("1.0")
    project = make_project(f"version: '1.0', file: stock.csv, sha256: {'0' * 64}")
    packages.install(packages.lacking([project]))
    with pytest.raises(DeliveryError, match=r"fruit/stock\.csv: has the SHA-256"):
        packages.held(project)


def test_a_failed_installation_leaves_what_was_there_and_tells_the_command(
    offer: Callable[[str], Path], make_project: MakeProject, site: Path
) -> None:
    offer("1.0")
    packages.install(["fruit==1.0"])
    project = make_project(declared("3.0"))
    with pytest.raises(PerennialError) as caught:
        packages.install(packages.lacking([project]))
    said = str(caught.value)
    assert said.startswith("pip could not install fruit==3.0: ")
    assert f"{sys.executable} -m pip install --no-deps" in said and said.endswith("fruit==3.0")
    assert metadata.version("fruit") == "1.0"
    assert (site / "fruit" / "stock.csv").read_bytes() == stock("1.0")


def test_of_several_packages_all_are_installed_or_none(offer: Callable[[str], Path], site: Path) -> None:
    offer("1.0")
    with pytest.raises(PerennialError, match="Nothing was installed"):
        packages.install(["fruit==1.0", "no-such-thing==1.0"])
    assert not (site / "fruit").exists()


def test_one_package_in_two_versions_is_refused(make_project: MakeProject) -> None:
    projects = [make_project(declared(version), f"market_{version[0]}") for version in ("1.0", "2.0")]
    with pytest.raises(SpecError, match=r"declared as 1\.0 by market_1, and as 2\.0 by market_2"):
        packages.lacking(projects)


def test_where_all_is_there_no_process_is_started(
    offer: Callable[[str], Path], make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.data_commands import provide

    offer("1.0")
    project = make_project(declared("1.0"))
    provide([project])
    monkeypatch.delattr("subprocess.run")
    provide([project])
