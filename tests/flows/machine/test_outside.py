"""A home that others may reach: whoever has no password and no certificate stays out."""

import base64
import stat
import urllib.error
import urllib.request
from collections.abc import Mapping

import psutil
import pytest

from flows.machine.secure import access
from tests.flows.machine.conftest import Home, MakeHome

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(make_home: MakeHome) -> Home:
    home = make_home(PERENNIAL_HOST="0.0.0.0")
    done = home.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture(scope="module")
def keys(home: Home) -> Mapping[str, str]:
    return access(home.settings, home.up())


def status(home: Home, authorization: str | None) -> int:
    given = {"Authorization": authorization} if authorization else {}
    asked = urllib.request.Request(f"{home.up().api}/admin/version", headers=given)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_api_answers_whoever_has_the_password_alone(home: Home, keys: Mapping[str, str]) -> None:
    password = keys["PREFECT_API_AUTH_STRING"]
    basic = base64.b64encode(password.encode()).decode()
    assert status(home, None) == 401
    assert status(home, "Basic " + base64.b64encode(b"perennial:guess").decode()) == 401
    assert status(home, f"Basic {basic}") == 200


CLIENT = "import distributed; print(distributed.Client('{}', timeout=15).submit(sum, [1, 2]).result())"


def test_the_cluster_answers_whoever_has_the_certificate_alone(home: Home) -> None:
    script = (
        "from core.settings import Settings; from flows.backend import backend\n"
        f"with backend(Settings().apply()):\n    {CLIENT.format(home.up().dask)}"
    )
    inside = home.start("-c", script).communicate(timeout=120)
    assert inside[0] == "3\n", inside[1]
    port = home.settings.dask_port
    for address in (f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}"):
        outside = home.start("-c", CLIENT.format(address))
        assert outside.communicate(timeout=120)[0] == "" and outside.returncode != 0


def test_the_secrets_are_in_no_command_line_log_or_file_that_others_read(
    home: Home, keys: Mapping[str, str]
) -> None:
    secret = keys["PREFECT_API_AUTH_STRING"].partition(":")[2]
    assert secret and secret not in " ".join(" ".join(each.cmdline()) for each in home.processes())
    assert stat.S_IMODE(home.settings.up.stat().st_mode) == 0o700
    for path in (each for each in home.settings.up.rglob("*") if each.is_file()):
        text = path.read_text(errors="replace")
        private = stat.S_IMODE(path.stat().st_mode) == 0o600
        assert private or (secret not in text and "PRIVATE" not in text), path


def test_the_dashboard_has_no_password_and_stays_on_this_machine(home: Home) -> None:
    found = [
        each.laddr.ip
        for process in home.processes()
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == home.settings.dashboard_port
    ]
    assert found == ["127.0.0.1"]
