"""A key is shown once and kept as its hash; what is done with it is on record, in either database."""

import hashlib
import math
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy

from core.errors import PerennialError
from serving.access.keys import Keys
from tests.serving.access.conftest import AT

LATER = AT + timedelta(hours=1)


def test_a_key_is_kept_as_its_hash_alone(keys: Keys, database: str) -> None:
    key = keys.create("web", ["predict"], at=AT, by="ann")
    assert re.fullmatch(r"perennial_1_[A-Za-z0-9_-]{43}", key)
    (kept,) = keys.all()
    assert kept.sha256 == hashlib.sha256(key.encode()).digest()
    engine = sqlalchemy.create_engine(database)
    with engine.connect() as connection:
        stored = str(connection.execute(sqlalchemy.text("SELECT * FROM api_keys")).all())
    assert kept.sha256.hex() in stored and key[-43:] not in stored


def test_what_is_done_with_a_key_is_on_record(keys: Keys) -> None:
    keys.create("web", ["predict", "outcomes", "predict"], rate=0.5, at=AT, by="ann")
    keys.revoke("web", at=LATER, by="bob")
    (key,) = keys.all()
    assert (key.name, key.scopes, key.rate) == ("web", {"predict", "outcomes"}, 0.5)
    assert (key.created_at, key.created_by) == (AT, "ann")
    assert (key.revoked_at, key.revoked_by) == (LATER, "bob")
    assert keys.live() == []


def test_a_name_is_of_one_live_key_at_a_time_and_a_number_is_never_given_again(keys: Keys) -> None:
    keys.create("web", ["predict"], at=AT, by="ann")
    with pytest.raises(PerennialError, match="shop has a live key 'web': take another name, or revoke"):
        keys.create("web", ["admin"], at=AT, by="ann")
    keys.revoke("web", at=AT, by="ann")
    assert keys.create("web", ["admin"], at=LATER, by="ann").startswith("perennial_2_")
    assert [(key.number, key.scopes) for key in keys.live()] == [(2, {"admin"})]
    assert [key.number for key in keys.all()] == [1, 2]


def test_keys_are_of_a_project(keys: Keys, database: str) -> None:
    keys.create("web", ["predict"], at=AT, by="ann")
    others = Keys(database, "hotels")
    assert others.create("web", ["predict"], at=AT, by="ann").startswith("perennial_1_")
    others.revoke("web", at=AT, by="ann")
    assert [key.name for key in keys.live()] == ["web"] and others.live() == []


def test_of_those_who_ask_at_once_each_gets_a_key_of_its_own(database: str) -> None:
    def create(name: str) -> str:
        return Keys(database, "shop").create(name, ["predict"], at=AT, by="ann")

    names = [f"web{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, names))
    kept = {key.name: key for key in Keys(database, "shop").live()}
    assert sorted(key.number for key in kept.values()) == list(range(1, 9))
    assert [kept[name].sha256 for name in names] == [hashlib.sha256(key.encode()).digest() for key in made]


def test_a_key_that_is_not_there_cannot_be_revoked(keys: Keys) -> None:
    with pytest.raises(PerennialError, match="shop has no live key 'web'; it has none at all"):
        keys.revoke("web", at=AT, by="ann")
    keys.create("website", ["predict"], at=AT, by="ann")
    with pytest.raises(PerennialError, match="no live key 'web-site'; did you mean 'website'"):
        keys.revoke("web-site", at=AT, by="ann")


@pytest.mark.parametrize(
    ("name", "scopes", "rate", "sentence"),
    [
        ("web", ["predcit"], None, "no scope 'predcit'; did you mean 'predict'"),
        ("web", [], None, "without a scope opens nothing; there is 'predict', 'outcomes', 'admin'"),
        ("web", ["admin"], 0.0, "a number of requests a second above 0, not 0"),
        ("web", ["admin"], -1.0, "above 0, not -1"),
        ("web", ["admin"], math.inf, "above 0, not inf"),
        ("web", ["admin"], math.nan, "above 0, not nan"),
        ("", ["admin"], None, "a key's name is of .* not ''"),
        ("web\nroot", ["admin"], None, r"a key's name is of .* not 'web\\nroot'"),
        ("w" * 101, ["admin"], None, "a key's name is of up to 100 letters"),
    ],
)
def test_what_is_wrong_with_a_key_is_a_sentence(
    keys: Keys, name: str, scopes: list[str], rate: float | None, sentence: str
) -> None:
    with pytest.raises(PerennialError, match=sentence):
        keys.create(name, scopes, rate=rate, at=AT, by="ann")
    assert keys.all() == []


def test_a_failure_to_write_tells_no_hash(keys: Keys, database: str) -> None:
    with sqlalchemy.create_engine(database).begin() as connection:
        connection.execute(sqlalchemy.text("ALTER TABLE api_keys DROP COLUMN created_by"))
    with pytest.raises(sqlalchemy.exc.DBAPIError) as raised:
        keys.create("web", ["predict"], at=AT, by="ann")
    told = "".join(traceback.format_exception(raised.value))
    assert "created_by" in told and not re.search(r"[0-9a-f]{64}|perennial_1_", told)
