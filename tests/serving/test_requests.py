"""Whatever is sent to a service, it says what is wrong with it, field by field, and goes on."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serving.running import PREDICT, Running
from tests.serving.shop import Shop

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}


def asked(client: httpx.Client, body: Any, path: str = PREDICT, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers=JSON | headers)


def faults(answer: httpx.Response) -> list[tuple[int, str, str]]:
    assert answer.status_code == 422, answer.text
    return [(each["row"], each["field"], each["reason"]) for each in answer.json()["faults"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is no JSON: Input data was truncated"),
        (b"{bad", "the body is no JSON"),
        (b'{"city": "\xff"}', "the body is no JSON: 'utf-8' codec"),
        (b'{"city": "\\ud800 alone"}', "the body is no JSON"),
        (b'{"rain": NaN}', "the body is no JSON"),
        (b'{"rain": 1e999}', "the body is no JSON: Number out of range"),
        (b"[" * 50_000, "the body is nested too deep"),
        (b'{"rain":' * 50_000, "the body is nested too deep"),
        (b"{} {}", "the body is no JSON: JSON is malformed: trailing characters"),
        (b"7", "the body should be a row"),
        (b"[]", "the body should be a row"),
        (b"[[]]", "should be an object of fields, not []"),
        (b"[null]", "should be an object of fields, not None"),
    ],
)
def test_a_body_that_is_no_rows_is_told_so(client: httpx.Client, body: bytes, reason: str) -> None:
    (found,) = faults(asked(client, body))
    assert found[:2] == (0, "") and found[2].startswith(reason)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("rain", "wet", "should be a number, not 'wet'"),
        ("rain", True, "should be a number, not True"),
        ("rain", [1], "should be a number, not [1]"),
        ("rain", 10**400, "should be a number, not 1000"),
        ("id", 1.5, "should be a whole number (Int64), not 1.5"),
        ("id", 2**63, "should be a whole number (Int64), not 9223372036854775808"),
        ("city", 7, "should be a text, not 7"),
        ("city", {"name": "Bergen"}, "should be a text, not {'name': 'Bergen'}"),
        ("at", "2013-05-28", "should be an instant with an offset from UTC"),
        ("at", 5, "should be an instant with an offset from UTC"),
        ("decision_time", "2013-06-02T00:00:00Z", "should not lie after now, 2013-06-01T00:0"),
        ("decision_time", "0001-01-01T00:00:00+23:59", "should lie in the years from 1 to 9999, in UTC"),
        ("decision_time", "9999-12-31T23:59:59-23:59", "should lie in the years from 1 to 9999, in UTC"),
        ("rainn", 1, "is no field of these rows; did you mean 'rain'?"),
        ("", 1, "is no field of these rows"),
    ],
)
def test_a_value_that_is_none_of_its_field_is_told_with_its_row(
    client: httpx.Client, shop: Shop, field: str, value: Any, reason: str
) -> None:
    good = shop.rows(2)
    (found,) = faults(asked(client, [good[0], good[1] | {field: value}]))
    assert found[:2] == (1, field) and found[2].startswith(reason) and len(found[2]) <= 200


def test_all_that_is_wrong_is_told_as_far_as_it_can_be_read(client: httpx.Client, shop: Shop) -> None:
    (row,) = shop.rows(1)
    two = faults(asked(client, row | {"rain": "wet", "id": "x"}))
    assert [each[1] for each in two] == ["id", "rain"]
    many = {f"{place}-{'x' * 50}": 1 for place in range(5_000)}
    assert len(faults(asked(client, many))) == 100
    assert len(faults(asked(client, [{"rain": "wet"}] * 900))) == 100


def test_what_is_not_known_and_what_is_missing_is_no_error(client: httpx.Client, shop: Shop) -> None:
    (row,) = shop.rows(1)
    for changed in ({}, {"city": "Atlantis"}, {"city": None}, {"rain": None}, {"rain": 1e308}):
        answer = asked(client, row | changed)
        assert answer.status_code == 200 and 0 < answer.json()["prediction"] < 1
    assert asked(client, {}).json()["degraded"] is False
    assert asked(client, b'{"city": "Bergen", "city": "Atlantis"}').status_code == 200


def test_what_is_too_much_is_refused_whether_or_not_it_says_how_long_it_is(
    client: httpx.Client, shop: Shop
) -> None:
    too_many = asked(client, [{}] * 1_001)
    assert (too_many.status_code, too_many.json()["error"]) == (
        413,
        "1,001 rows are more than the 1,000 of one request: send them in parts",
    )
    assert asked(client, [{}] * 1_000).status_code == 200

    def parts() -> Iterator[bytes]:
        for _ in range(60):
            yield b" " * 10_000

    for content in (b" " * 600_000, parts()):
        answer = client.post(PREDICT, content=content, headers=JSON)
        assert answer.status_code == 413, answer.text
        assert answer.json()["error"] == "the body is longer than the 0.5 MB of one request: send it in parts"
    (row,) = shop.rows(1)
    whole = json.dumps(row).encode()
    answer = client.post(PREDICT, content=iter([whole[:20], whole[20:]]), headers=JSON)
    assert answer.status_code == 200


def test_a_body_that_breaks_off_costs_nobody_else(service: Running, client: httpx.Client, shop: Shop) -> None:
    (row,) = shop.rows(1)
    for _ in range(20):
        with httpx.Client(base_url=service.url) as other:

            def broken() -> Iterator[bytes]:
                yield b'{"rain": '
                raise ConnectionAbortedError

            with pytest.raises(ConnectionAbortedError):
                other.post(PREDICT, content=broken(), headers=JSON)
    assert asked(client, row).status_code == 200


def test_kinds_of_bodies_switches_and_paths(client: httpx.Client, shop: Shop) -> None:
    (row,) = shop.rows(1)
    for kind in ("text/plain", "multipart/form-data", "application/xml"):
        assert asked(client, row, **{"content-type": kind}).status_code == 415
    assert asked(client, row, **{"content-type": "application/json; charset=utf-8"}).status_code == 200
    wrong = asked(client, row, f"{PREDICT}?explain=maybe")
    assert (wrong.status_code, wrong.json()["error"]) == (422, "explain should be true or false, not 'maybe'")
    for path, status in (("/v1/shop/predict", 404), ("/nothing", 404), ("/healthz/", 404)):
        assert asked(client, row, path).status_code in (status, 405)
    for version in ("orders/9", "shop/2", "orders/../../x", f"orders/{'1' * 400}"):
        assert client.get("/v1/orders/model", params={"version": version}).status_code == 404
    assert client.get("/v1/orders/model").json()["id"] == "orders/2"
    assert client.get(PREDICT).status_code == 405


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"label": "late"}, "label", "should be true or false, not 'late'"),
        ({"label": None}, "label", "should be there, and not null"),
        ({"request_id": 5}, "request_id", "should be the `request_id` of an answer"),
        ({"request_id": None}, "", "should say which row it is of"),
        ({"key": {"basket": 1, "id": 2}}, "", "should say which row it is of"),
        ({"request_id": None, "key": {"basket": "x", "id": 2}}, "key", "'basket' should be a whole number"),
        ({"request_id": None, "key": {"basket": 1}}, "key", "should have the fields basket, id"),
        ({"known_at": "2014-01-01T00:00:00Z"}, "known_at", "should not lie after now"),
        ({"known_at": "0001-01-01T00:00:00+23:59"}, "known_at", "should lie in the years"),
        ({"labell": True}, "labell", "is no field of an outcome; did you mean 'label'?"),
    ],
)
def test_an_outcome_that_is_none_is_told_so(
    client: httpx.Client, changes: dict[str, Any], field: str, reason: str
) -> None:
    good = {"request_id": "one", "label": True}
    path = "/v1/orders/outcomes"
    assert asked(client, [good, {"key": {"basket": 1, "id": 2}, "label": False}], path).status_code == 202
    (found,) = faults(asked(client, [good, good | changes], path))
    assert found[:2] == (1, field) and found[2].startswith(reason)


def test_a_deadline_is_kept(client: httpx.Client, shop: Shop) -> None:
    rows = shop.rows(390) * 2
    late = asked(client, rows, f"{PREDICT}?explain=true", **{"X-Timeout-Ms": "1"})
    assert (late.status_code, late.json()["error"]) == (504, "not answered within the 1 ms of X-Timeout-Ms")
    assert late.elapsed.total_seconds() < 0.5
    assert asked(client, rows[:1], **{"X-Timeout-Ms": "20000"}).status_code == 200
    for wrong in ("soon", "0", "-1", "nan", "inf"):
        answer = asked(client, rows[:1], **{"X-Timeout-Ms": wrong})
        assert answer.status_code == 422 and "milliseconds above 0" in answer.json()["error"]
