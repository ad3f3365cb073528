"""The ingest flow on a database whose password is planted: read on, late rows seen, the secret nowhere."""

from collections.abc import Callable, Iterator
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


def fill(engine: sa.Engine, settings: Settings) -> None:
    """Put the delivered files into a table, with the types that a database would have."""
    files = sorted((settings.projects / "flights" / "delivered").glob("*.csv"))
    rows = pl.concat([pl.read_csv(file, null_values="NA", try_parse_dates=True) for file in files])
    rows.write_database("flights", engine, if_table_exists="replace")


def execute(engine: sa.Engine, statement: str) -> int:
    """How many rows it changed."""
    with engine.begin() as connection:
        return connection.execute(sa.text(statement)).rowcount


@pytest.fixture
def warehouse(
    postgres: str,
    make_project: Callable[..., Settings],
    inhabit: Callable[..., AbstractContextManager[None]],
) -> Iterator[tuple[Settings, sa.Engine]]:
    """Two months of flights in PostgreSQL, and a home in which the flows live with its URL."""
    settings, engine = make_project(range(1, 3), share=16, edit=from_table), sa.create_engine(postgres)
    fill(engine, settings)
    with inhabit(settings, {SECRET: postgres}):
        yield settings, engine
    engine.dispose()


def test_a_database_is_read_by_batch_late_rows_are_seen_and_its_password_is_nowhere(
    warehouse: tuple[Settings, sa.Engine], caplog: pytest.LogCaptureFixture
) -> None:
    from flows.ingest import ingest

    settings, engine = warehouse
    first = {each.batch: each for each in ingest("flights", AS_OF) if each.dataset == "flights"}
    assert first["2013-01"].accepted > 1000
    assert execute(engine, "UPDATE flights SET distance = distance + 1 WHERE month = 2 AND day = 3")
    again = {each.batch: each for each in ingest("flights", AS_OF) if each.dataset == "flights"}
    assert again["2013-01"] == first["2013-01"]
    assert again["2013-02"].content != first["2013-02"].content
    assert again["2013-02"].received == first["2013-02"].received

    execute(engine, "DROP TABLE flights")
    with pytest.raises(DeliveryError, match="flights") as told:
        ingest("flights", AS_OF)
    forms = [str(engine.url.password), engine.url.render_as_string(hide_password=False)]
    seen = [str(told.value), caplog.text, repr(open_workspace("flights"))]
    assert not [text for text in seen if any(form in text for form in forms)]
    places = [*settings.home.rglob("*"), *Path(Settings().home).rglob("*")]
    contents = {path: path.read_bytes() for path in places if path.is_file()}
    assert not [path for path, content in contents.items() if any(form.encode() in content for form in forms)]
