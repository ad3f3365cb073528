"""Secrets are filled in from where they are kept, and hidden in whatever form they come back."""

import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from core.errors import SpecError
from core.projects import load
from core.secrets import Secrets, holds_password, without_password
from core.settings import Settings

URL = "postgresql://ann:hunter2@host/db"
PLANTED = "p@ss w%rd/é:'\"\\#+"


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Secrets of which one was filled in."""
    monkeypatch.setenv("PLANTED", PLANTED)
    secrets = Secrets()
    assert secrets.fill("<${PLANTED}>") == f"<{PLANTED}>"
    return secrets


def test_names_are_filled_in_from_the_environment_and_from_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_NAME", "ann")
    monkeypatch.setenv("NESTED", "${USER_NAME}")
    secrets = Secrets({"db-password": "hunter2"}.__getitem__)
    assert secrets.fill("${USER_NAME}:${block:db-password}@${USER_NAME}") == "ann:hunter2@ann"
    assert secrets.fill("no $NAME, no $, no {}") == "no $NAME, no $, no {}"
    assert secrets.fill("${NESTED}") == "${USER_NAME}"  # what a secret holds is not read as a name


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    if value is not None:
        monkeypatch.setenv("NOT_THERE", value)
    with pytest.raises(SpecError, match=r"\$\{NOT_THERE\}: the environment variable 'NOT_THERE' is"):
        Secrets().fill("postgresql://ann:${NOT_THERE}@host/db")


def test_without_prefect_there_are_no_blocks() -> None:
    with pytest.raises(SpecError, match=r"\$\{block:db\}: there are no blocks here"):
        Secrets().fill("${block:db}")


@pytest.mark.parametrize(
    "spelled",
    [
        PLANTED,
        quote(PLANTED),
        quote(PLANTED, safe=""),
        quote_plus(PLANTED),
        repr(PLANTED)[1:-1],
        json.dumps(PLANTED)[1:-1],
        json.dumps({"url": f"postgresql://ann:{PLANTED}@host"}),
    ],
)
def test_a_secret_is_hidden_however_it_is_spelled(filled: Secrets, spelled: str) -> None:
    hidden = filled.hide(f"before {spelled} after")
    assert hidden.startswith("before ") and hidden.endswith(" after") and "***" in hidden
    assert "ss w" not in hidden and "ss%20w" not in hidden and "ss+w" not in hidden


def test_the_password_inside_of_a_url_is_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB", "postgresql://ann:hun%40ter@host:5432/db")
    secrets = Secrets()
    secrets.fill("${DB}")
    assert secrets.hide("FATAL: hun@ter or hun%40ter is not the password of ann") == (
        "FATAL: *** or *** is not the password of ann"
    )
    assert secrets.hide("could not connect to postgresql://ann:hun%40ter@host:5432/db") == (
        "could not connect to ***"
    )


def test_the_longer_of_two_secrets_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "abc")
    monkeypatch.setenv("LONG", "abcdef")
    secrets = Secrets()
    secrets.fill("${SHORT}${LONG}")
    assert secrets.hide("abcdef abc") == "*** ***"


def test_nothing_filled_in_hides_nothing() -> None:
    assert Secrets().hide("plain text") == "plain text"


def test_secrets_show_and_send_nothing_of_themselves(filled: Secrets) -> None:
    assert repr(filled) == str(filled) == f"{filled}" == "Secrets()"
    with pytest.raises(TypeError):
        pickle.dumps(filled)


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("postgresql://ann:${PASSWORD}@host/db", False),
        ("postgresql://ann:${block:pass-word}@host:5432/db", False),
        ("postgresql://${USER}:${PASSWORD}@${HOST}:${PORT}/db?sslmode=require", False),
        ("${DATABASE_URL}", False),
        ("sqlite:///data/a.db", False),
        ("postgresql://host:5432/db", False),
        ("postgresql://ann@host/db", False),
        ("postgresql://host/db?user=ann&password=${PASSWORD}", False),
        ("postgresql://ann:hunter2@host/db", True),
        ("postgresql://ann:hunter${N}@host/db", True),
        ("postgresql://ann:hun:ter/2@host/db", True),
        ("postgresql://host/db?user=ann&password=hunter2", True),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dann%3BPWD%3Dhunter2", True),
    ],
)
def test_a_url_that_holds_a_password_itself_is_told_from_one_that_names_it(url: str, holds: bool) -> None:
    assert holds_password(url) is holds


def test_the_user_of_a_url_is_not_shown() -> None:
    text = 'should be a list, not "postgresql://ann:hunter2@host/db?password=hunter2"'
    assert without_password(text) == 'should be a list, not "postgresql://***@host/db?password=***"'


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"kind": "sql", "url": URL, "table": "trips", "time": "at"}, "url: holds a password"),
        ({"kind": "sql", "url": URL, "tabel": "trips", "time": "at"}, "tabel: no such key"),
        ({"kind": "sql", "url": [URL], "table": "trips", "time": "at"}, "url: should be text, not a list"),
        ({"kind": URL, "url": "sqlite:///a", "table": "trips", "time": "at"}, "kind: is "),
        (URL, "source: should be keys with values"),
    ],
)
def test_a_spec_with_a_password_is_refused_and_not_repeated(
    write_trips: Callable[..., Path], settings: Settings, source: object, sentence: str
) -> None:
    def edit(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["datasets"]["trips"]["source"] = source

    write_trips(edit)
    with pytest.raises(SpecError) as caught:
        load("trips", settings)
    assert sentence in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
