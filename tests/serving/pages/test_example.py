"""The row that the documentation tries the service with."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from core.lake import Lake
from serving.access.rates import allocate
from serving.openapi import document
from serving.pages.documentation import documentation_page
from serving.pages.example import example_row
from serving.schemas import row_schema
from serving.service import RATES, Service, open_service
from stages.workspace import open_workspace
from tests.stages.orders import AS_OF, lay_orders, taken_in, write_spec

Open = Callable[..., Service]


@pytest.fixture(scope="module")
def open_orders(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Opens a service of the orders, for all or behind keys."""
    root = tmp_path_factory.mktemp("orders")
    settings = lay_orders(root)
    taken_in(open_workspace("orders", settings), AS_OF)
    allocate(root / RATES)

    def opened(is_open: bool = True, **serving: Any) -> Service:
        write_spec(settings, "binary", serving=serving)
        chosen = settings.model_copy(update={"serve_open": is_open})
        return open_service(chosen, open_workspace("orders", chosen).project, lambda: AS_OF, root)

    return opened


def newest(service: Service) -> pl.DataFrame:
    """The orders of the last basket, which came at one time."""
    rows = Lake(service.settings.lake, "orders").scan("raw/orders")
    return rows.filter(pl.col("at") == pl.col("at").max()).collect()


def test_it_is_the_newest_row_and_is_one_of_the_schema(open_orders: Open) -> None:
    service = open_orders()
    example = example_row(service, row_schema(service))
    (row,) = newest(service).filter(id=example["id"]).to_dicts()
    assert {"city", "rain", "load"} <= example.keys()
    assert example["city"] == row["city"] and example["rain"] == row["rain"]
    assert service.fields.rows([example], AS_OF)
    service.close()


def test_a_personal_field_and_all_behind_keys_is_told_by_its_type_alone(open_orders: Open) -> None:
    service = open_orders(personal=["city"])
    example = example_row(service, row_schema(service))
    assert example["city"] == "text" and example["rain"] in newest(service)["rain"].to_list()
    service.close()
    service = open_orders(is_open=False)
    example = example_row(service, row_schema(service))
    assert example["city"] == "text" and example["rain"] == 1.5
    assert service.fields.rows([example], AS_OF)
    service.close()


def test_what_who_reads_it_sent_cannot_get_out_of_the_page(open_orders: Open) -> None:
    service = open_orders()
    html = bytes(documentation_page(service, "http://x/'</pre><script>alert(1)</script>", "id").body).decode()
    assert "<script" not in html
    assert all(path in html for path in document(service)["paths"])
    service.close()
