"""A registry's database that cannot be had is a sentence, without the password of its URL."""

import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData
from sqlalchemy.exc import OperationalError

from core.database import connect
from core.errors import PerennialError
from core.ledger import Ledger


@pytest.mark.parametrize(
    ("url", "kind", "sentence"),
    [
        (
            "postgresql+psycopg://ann:hunter2@127.0.0.1:1/db",
            ConnectionError,
            "cannot be reached now: .*refused",
        ),
        ("postgresql://ann:hunter2@host:hunter2/db", PerennialError, "URL is none that SQLAlchemy has"),
        ("postgresql+none://ann:hunter2@host/db", PerennialError, "URL is none that SQLAlchemy has"),
        ("hunter2", PerennialError, "URL is none that SQLAlchemy has"),
        ("sqlite:///{folder}/file", PerennialError, "cannot be used: file is not a database"),
        ("sqlite:///{folder}/file/db", PerennialError, "folder cannot be made: .*file"),
    ],
)
def test_what_is_wrong_is_told_without_the_password(
    tmp_path: Path, url: str, kind: type[Exception], sentence: str
) -> None:
    (tmp_path / "file").write_text("no database" * 100)
    with pytest.raises(kind, match=sentence) as caught:
        connect(url.format(folder=tmp_path), MetaData())
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    assert "hunter2" not in "".join(traceback.format_exception_only(caught.value)) + str(vars(caught.value))


def test_where_the_file_is_lost_nobody_who_reads_or_writes_puts_an_empty_one_there(tmp_path: Path) -> None:
    place = tmp_path / "state" / "registry.db"
    ledger = Ledger(f"sqlite:///{place}", "shop")
    ledger.record("score", "2013-01", "x", {"rows": 1}, datetime(2013, 2, 1, tzinfo=UTC))
    aside = place.rename(tmp_path / "aside.db")
    for ask in (
        lambda: ledger.result("score", "2013-01"),
        lambda: ledger.record("score", "2013-02", "x", {}, datetime(2013, 3, 1, tzinfo=UTC)),
    ):
        with pytest.raises(OperationalError, match="unable to open database file"):
            ask()
        assert not place.exists()
    aside.rename(place)
    assert ledger.result("score", "2013-01") == {"rows": 1}
