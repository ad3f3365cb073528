"""Who is admitted and who is not, by keys that were made, revoked and lost, in either database."""

import re
from pathlib import Path

import pytest
import sqlalchemy

from serving.access.guard import RATE, Admitted, Guard, Refused
from serving.access.keys import Keys
from serving.access.rates import Rates
from tests.serving.access.conftest import AT, Clock


def status(answer: Admitted | Refused) -> int:
    return answer.status if isinstance(answer, Refused) else 200


@pytest.fixture
def key(keys: Keys, guard: Guard) -> str:
    """A key that the guard knows."""
    made = keys.create("web", ["predict"], rate=2.0, at=AT, by="ann")
    assert guard.refresh(keys)
    return made


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_key_is_admitted_to_what_it_opens_and_to_nothing_else(guard: Guard, key: str, header: str) -> None:
    sent = header.format(key)
    assert guard.admit(sent, "predict") == guard.admit(sent.encode(), "predict") == Admitted("web")
    answer = guard.admit(sent, "admin")
    assert answer == Refused(403, "the API key 'web' has no scope 'admin'")


@pytest.mark.parametrize("header", [None, "", b"", "Bearer", "Bearer ", "Basic d2ViOnB3", "{}", "Token {}"])
def test_who_sends_no_key_is_told_how(guard: Guard, key: str, header: str | bytes | None) -> None:
    answer = guard.admit(header.format(key) if isinstance(header, str) else header, "predict")
    assert isinstance(answer, Refused) and "Authorization: Bearer perennial_" in answer.why
    assert (answer.status, answer.headers) == (401, {"WWW-Authenticate": "Bearer"})


def test_whatever_is_no_live_key_gets_one_and_the_same_answer(
    guard: Guard, keys: Keys, key: str, database: str
) -> None:
    revoked = keys.create("old", ["predict"], at=AT, by="ann")
    keys.revoke("old", at=AT, by="ann")
    guard.refresh(keys)
    flipped = "B" if key[-1] != "B" else "C"
    others = (
        key[:-1] + flipped,
        key + "A",
        key[:-1],
        key.replace("_1_", "_01_"),
        key.replace("_1_", "_9_"),
        key.upper(),
        revoked,
        Keys(database, "hotels").create("web", ["predict"], at=AT, by="ann"),
        "perennial_1_",
        "\u00e9\u20ac\udcff",
        "x",
        "9" * 10_000,
    )
    answers = {guard.admit(f"Bearer {other}", "predict") for other in others}
    assert [status(answer) for answer in answers] == [401]
    assert guard.admit(b"Bearer \xff\x00", "predict") in answers


def test_a_key_that_is_revoked_is_out_with_the_next_look(guard: Guard, keys: Keys, key: str) -> None:
    keys.revoke("web", at=AT, by="ann")
    assert status(guard.admit(f"Bearer {key}", "predict")) == 200
    assert guard.refresh(keys)
    assert status(guard.admit(f"Bearer {key}", "predict")) == 401


def test_too_often_is_told_with_when_to_ask_again(guard: Guard, key: str, clock: Clock) -> None:
    sent = f"Bearer {key}"
    assert [status(guard.admit(sent, "predict")) for _ in range(3)] == [200, 200, 429]
    answer = guard.admit(sent, "predict")
    assert isinstance(answer, Refused) and answer.retry_after == pytest.approx(0.5)
    assert answer.headers == {"Retry-After": "1"} and "more than 2 times a second" in answer.why
    clock.now += answer.retry_after
    assert [status(guard.admit(sent, "predict")) for _ in range(2)] == [200, 429]
    clock.now += 10
    assert [status(guard.admit(sent, "predict", cost=2)) for _ in range(2)] == [200, 429]


def test_a_key_without_a_rate_of_its_own_has_the_default(guard: Guard, keys: Keys) -> None:
    sent = f"Bearer {keys.create('web', ['predict'], at=AT, by='ann')}"
    guard.refresh(keys)
    assert sum(status(guard.admit(sent, "predict")) == 200 for _ in range(200)) == RATE


def test_who_is_refused_spends_nothing(guard: Guard, key: str) -> None:
    for _ in range(9):
        guard.admit(f"Bearer {key[:-3]}AAA", "predict")
        guard.admit(f"Bearer {key}", "outcomes")
    assert status(guard.admit(f"Bearer {key}", "predict", cost=2)) == 200


def test_without_its_table_a_guard_goes_on_with_what_it_has(
    guard: Guard, keys: Keys, key: str, database: str
) -> None:
    with sqlalchemy.create_engine(database).begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE api_keys"))
    assert not guard.refresh(keys)
    assert status(guard.admit(f"Bearer {key}", "predict")) == 200


def test_without_its_database_a_guard_goes_on_with_what_it_has(
    guard: Guard, tmp_path: Path, clock: Clock
) -> None:
    place = tmp_path / "registry.db"
    keys = Keys(f"sqlite:///{place}", "shop")
    key = keys.create("web", ["predict"], at=AT, by="ann")
    assert guard.refresh(keys)
    for path in tmp_path.glob("registry.db*"):
        path.unlink()
    place.mkdir()
    assert not guard.refresh(keys) and guard.ready
    assert status(guard.admit(f"Bearer {key}", "predict")) == 200
    assert status(guard.admit(f"Bearer {key}x", "predict")) == 401


def test_before_the_keys_were_read_nobody_is_told_that_theirs_is_wrong(guard: Guard) -> None:
    answer = guard.admit("Bearer perennial_1_", "predict")
    assert isinstance(answer, Refused) and not guard.ready
    assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})


def test_nothing_that_may_be_logged_holds_a_key_or_its_hash(
    guard: Guard, keys: Keys, key: str, rates: Rates
) -> None:
    (kept,) = keys.live()
    sent = f"Bearer {key}"
    answers = [guard.admit(sent, scope) for scope in ("predict", "admin", "predict", "predict")]
    answers.append(guard.admit(sent + "x", "predict"))
    assert {status(answer) for answer in answers} == {200, 401, 403, 429}
    told = f"{[guard, keys, kept, rates, *answers]!r} {guard} {keys} {kept} {rates}"
    assert "web" in told
    assert key[-43:] not in told and kept.sha256.hex() not in told and repr(kept.sha256) not in told
    assert not re.search(r"[0-9a-f]{40}", told)
