"""Releases by the commands, on a real server: shares by hand, by steps, and the way back with its alert."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from core.settings import Settings
from stages.monitoring.alerts import alerts_of
from stages.release.change import in_force
from stages.release.give import begin
from tests.stages.shops import NOW, Shop, copy_shop, make_shop

pytestmark = pytest.mark.slow

Run = Callable[..., CompletedProcess[str]]
Inhabit = Callable[[Settings], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    make_shop(root)
    return root


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Shop:
    return copy_shop(made, tmp_path / "copy", hold="0s")


def command(run: Run, shop: Shop, *arguments: str) -> CompletedProcess[str]:
    settings = shop.workspace.settings
    return run(settings, *arguments, "--project", "orders", suites=settings.suites)


def test_shares_are_given_and_taken_by_hand(run: Run, shop: Shop) -> None:
    version = shop.challenger.id
    given = command(run, shop, "release", "--version", version, "--share", "10%")
    assert (given.returncode, given.stdout) == (0, f"release: 90% {shop.champion}, 10% {version} (canary)\n")
    told = command(run, shop, "status").stdout
    assert f"release    90% {shop.champion}, 10% {version}" in told
    back = command(run, shop, "rollback")
    assert (back.returncode, back.stdout) == (0, f"release: 100% {shop.champion}\n")
    assert [alert.kind for alert in alerts_of(shop.workspace).all()] == ["release rolled back"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--share", "0.1"), "whose share"),
        (("--version", "orders/3", "--share", "lots"), "SHARE=lots: should be a share"),
        (("--version", "orders/3", "--share", "2"), "SHARE=2: should be a share"),
        (("--version", "orders/3", "--share", "0.1", "--role", "canry"), "did you mean 'canary'"),
        (("--version", "orders/1", "--share", "0.1"), "was refused by the gate"),
        (("--version", "orders/1"), "was refused by the gate"),
        (
            ("--version", "orders/3", "--share", "0.5", "--role", "test", "--metric", "los"),
            "did you mean 'loss'",
        ),
    ],
)
def test_what_cannot_be_released_is_a_sentence(
    run: Run, shop: Shop, arguments: tuple[str, ...], why: str
) -> None:
    done = command(run, shop, "release", *arguments)
    assert done.returncode == 1 and why in done.stderr and "Traceback" not in done.stderr
    assert in_force(shop.workspace).candidate is None


def test_a_canary_that_fails_is_taken_back_by_the_flow_with_an_alert_and_a_record(
    run: Run, shop: Shop
) -> None:
    command(run, shop, "release", "--version", shop.challenger.id, "--share", "0.2")
    shop.log(1_500, failing=0.5)
    done = command(run, shop, "release")
    assert done.returncode == 1
    assert f"{shop.challenger} rolled back, 0 % of the traffic" in done.stdout
    assert "errors           alarm" in done.stdout
    kept = in_force(shop.workspace)
    assert (kept.action, str(kept)) == ("rolled back", f"100% {shop.champion}")
    (alert,) = alerts_of(shop.workspace).all()
    assert (alert.kind, alert.severity) == ("release rolled back", "critical")
    assert "had no answer" in alert.text
    assert command(run, shop, "release").stdout == f"release: 100% {shop.champion}\n"


def test_a_release_by_steps_ends_with_a_new_champion(run: Run, made: Path, tmp_path: Path) -> None:
    shop = copy_shop(made, tmp_path / "copy", hold="0s", steps=[0.5, 1])
    command(run, shop, "release", "--version", shop.challenger.id, "--share", "0.5")  # as far as the first
    begin(shop.workspace, shop.challenger, NOW, "tests")
    shop.log(1_000)
    done = command(run, shop, "release")
    assert done.returncode == 0, done.stderr
    assert f"{shop.challenger} promoted, 100 % of the traffic" in done.stdout
    assert str(in_force(shop.workspace)) == f"100% {shop.challenger}"
