"""The ingest flow on a database whose password is planted: read on, late rows seen, the secret nowhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from core.errors import DeliveryError
from core.settings import Settings
from stages.workspace import open_workspace

pytestmark = pytest.mark.slow

AS_OF = datetime(2014, 1, 1, tzinfo=UTC)
SECRET = "PLANTED_WAREHOUSE"


def from_table(document: dict[str, Any]) -> None:
    document["datasets"]["flights"]["source"] = {
        "kind": "sql",
        "url": f"${{{SECRET}}}",
        "table": "flights",
        "time": "time_hour",
    }


def fill(url: str, settings: Settings) -> None:
    """Put the delivered files into a table, with the types that a database would have."""
    files = sorted((settings.projects / "flights" / "delivered").glob("*.csv"))
    rows = pl.concat([pl.read_csv(file, null_values="NA", try_parse_dates=True) for file in files])
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS flights"))
    rows.write_database("flights", engine)
    engine.dispose()


@pytest.fixture
def warehouse(
    postgres: str,
    make_project: Callable[..., Settings],
    inhabit: Callable[..., AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Two months of flights in PostgreSQL, and a home in which the flows live with its URL."""
    settings = make_project(range(1, 3), share=16, edit=from_table)
    fill(postgres, settings)
    with inhabit(settings, {SECRET: postgres}):
        yield settings, postgres


def test_a_database_is_read_by_batch_and_late_rows_are_seen(warehouse: tuple[Settings, str]) -> None:
    from flows.ingest import ingest

    _, url = warehouse
    first = {each.batch: each for each in ingest("flights", AS_OF) if each.dataset == "flights"}
    assert first["2013-01"].accepted > 1000
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    late = "UPDATE flights SET distance = distance + 1 WHERE month = 2 AND day = 3"
    with engine.begin() as connection:
        changed = connection.execute(sa.text(late)).rowcount
    engine.dispose()
    again = {each.batch: each for each in ingest("flights", AS_OF) if each.dataset == "flights"}
    assert changed and again["2013-01"] == first["2013-01"]
    assert again["2013-02"].content != first["2013-02"].content
    assert again["2013-02"].received == first["2013-02"].received


def test_a_secret_is_nowhere(warehouse: tuple[Settings, str], caplog: pytest.LogCaptureFixture) -> None:
    from flows.ingest import ingest

    settings, url = warehouse
    password = sa.make_url(url).password
    assert password
    ingest("flights", AS_OF)
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE flights RENAME TO elsewhere"))
    try:
        with pytest.raises(DeliveryError) as told:
            ingest("flights", AS_OF)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO flights"))
        engine.dispose()
    assert "flights" in str(told.value)
    forms = {form.encode() for form in (str(password), url, sa.make_url(url).render_as_string(False))}
    seen = [str(told.value), caplog.text, repr(open_workspace("flights"))]
    assert not [text for text in seen if any(form.decode() in text for form in forms)]
    places = [*settings.home.rglob("*"), *Path(Settings().home).rglob("*")]
    leaks = [path for path in places if path.is_file() and any(form in path.read_bytes() for form in forms)]
    assert leaks == []
