"""Arrow streams: whatever they hold, the service says what is wrong with them, and lives."""

import io
import random
from datetime import UTC, date, datetime
from typing import Any

import httpx
import polars as pl
import pyarrow as pa
import pytest

from serving.request.bodies import ARROW
from serving.request.columns import typed
from serving.request.fields import Malformed
from serving.request.problems import Problem
from serving.request.streams import frame_of
from tests.serving.running import PREDICT
from tests.serving.shop import Shop

NOON = datetime(2013, 5, 28, 12, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
RAW: dict[str, Any] = {
    "id": pa.array([1, 2, 3]),
    "basket": pa.array([487, 488, 489]),
    "at": pa.array([NOON] * 3, INSTANT),
    "city": pa.array(["Bergen", "Cádiz", None]),
    "rain": pa.array([0.5, None, float("nan")]),
    "decision_time": pa.array([NOON] * 3, INSTANT),
}
FEATURES: dict[str, Any] = {
    **RAW,
    **{name: pa.array([1.0, 2.0, None], pa.float32()) for name in ("load", "weekday", "founded")},
    **{name: pa.array([0.5, 2.0, None], pa.float32()) for name in ("late_7d", "rain_7d", "orders_7d")},
}
DTYPES = pl.DataFrame(pl.from_arrow(pa.table(RAW))).schema


def streamed(columns: Any, compression: str | None = None) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    written = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(written, table.schema, options=options) as stream:
        stream.write_table(table)
    return written.getvalue()


def asked(client: httpx.Client, content: bytes) -> httpx.Response:
    return client.post(PREDICT, content=content, headers={"content-type": ARROW})


def answers(client: httpx.Client, columns: Any, compression: str | None = None) -> list[float]:
    answer = asked(client, streamed(columns, compression))
    assert answer.status_code == 200, answer.text
    found = pl.read_ipc_stream(io.BytesIO(answer.content))
    assert found.columns == ["request_id", "version", "prediction", "degraded"]
    return found["prediction"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("base", [RAW, FEATURES], ids=["raw", "features"])
def test_the_same_values_in_other_dresses_get_the_same_answers(
    client: httpx.Client, base: dict[str, Any]
) -> None:
    plain = answers(client, base)
    city, at = base["city"], base["at"]
    for changes in (
        {"city": city.dictionary_encode()},
        {"city": city.cast(pa.large_string())},
        {"city": city.cast(pa.string_view())},
        {"rain": base["rain"].dictionary_encode()},
        {"basket": base["basket"].cast(pa.int16()), "id": base["id"].cast(pa.float64())},
        {"at": at.cast(pa.timestamp("ms", "UTC")), "decision_time": at.cast(pa.timestamp("ns", "UTC"))},
        {"decision_time": at.cast(pa.timestamp("us", "Europe/Paris"))},
        {"mood": pa.nulls(3), "seen": pa.array([NOON] * 3, pa.timestamp("s", "UTC"))},
    ):
        assert answers(client, base | changes) == plain, changes
    for compression in ("lz4", "zstd"):
        assert answers(client, base, compression) == plain
    assert answers(client, pa.concat_tables([pa.table(base)] * 2)) == plain * 2


EXTREME = pa.array([2**62, None, -(2**62)])


@pytest.mark.slow
@pytest.mark.parametrize("base", [RAW, FEATURES], ids=["raw", "features"])
@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"rain": pa.array(["1", "2", "3"])}, "rain", "should be a number, and not String"),
        ({"rain": pa.array([[1.0]] * 3)}, "rain", "should be a number, and not List(Float64)"),
        ({"rain": pa.array([True] * 3)}, "rain", "should be a number, and not Boolean"),
        ({"city": pa.array([1, 2, 3])}, "city", "should be a text, and not Int64"),
        ({"city": pa.array([{"a": 1}] * 3)}, "city", "should be a text, and not Struct"),
        ({"city": pa.array([b"\xff"] * 3)}, "city", "should be a text, and not Binary"),
        ({"basket": pa.array(["a", "b", "c"])}, "basket", "should be a whole number (Int64), and not String"),
        ({"basket": pa.array([1.5, 2, 3])}, "basket", "should be a whole number (Int64), and not Float64"),
        ({"basket": pa.array([2**63] * 3, pa.uint64())}, "basket", "should be a whole number (Int64)"),
        ({"seen": pa.array([b"\xff"] * 3)}, "seen", "should be an instant with an offset from UTC"),
        ({"mood": pa.array([[1]] * 3)}, "mood", "should be a text, and not List(Int64)"),
        ({"at": pa.array([NOON.replace(tzinfo=None)] * 3)}, "at", "should be an instant with an offset"),
        ({"at": pa.array([date(2013, 5, 1)] * 3)}, "at", "should be an instant with an offset"),
        ({"at": EXTREME.cast(INSTANT)}, "at", "should be an instant with an offset"),
        ({"seen": EXTREME.cast(pa.timestamp("ms", "UTC"))}, "seen", "should be an instant"),
        ({"decision_time": EXTREME.cast(INSTANT)}, "decision_time", "should be an instant"),
        ({"decision_time": pa.array([NOON.replace(year=2014)] * 3)}, "decision_time", "should not lie after"),
        ({"rainn": pa.array([1, 2, 3])}, "rainn", "is no column of these rows; did you mean 'rain'?"),
        ({"rain": pa.array([1, 2, 3], pa.duration("us"))}, "rain", "should be a number, and not Duration"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_column_of_another_kind_is_told(
    client: httpx.Client, base: dict[str, Any], changes: dict[str, Any], field: str, reason: str
) -> None:
    answer = asked(client, streamed(base | changes))
    assert answer.status_code == 422, answer.text
    found = answer.json()["faults"][0]
    assert found["field"] == field and found["reason"].startswith(reason)


@pytest.mark.slow
def test_what_is_no_stream_of_rows_is_told_and_too_many_are_refused(client: httpx.Client, shop: Shop) -> None:
    whole = streamed(RAW)
    twice = pa.Table.from_arrays([RAW["id"], RAW["id"]], names=["id", "id"])
    unknown = pa.array([1.5] * 3).cast(pa.decimal256(50, 2))
    for content in (
        b"",
        b"{}",
        whole[: len(whole) // 2],
        random.Random(1).randbytes(1_000),
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        streamed(twice),
        streamed(RAW | {"rain": unknown}),
        streamed(pa.table(RAW).slice(0, 0)),
        streamed({}),
    ):
        answer = asked(client, content)
        assert answer.status_code == 422 and answer.json()["faults"], answer.text
    assert asked(client, streamed(pa.concat_tables([pa.table(RAW)] * 334))).status_code == 413
    assert answers(client, RAW)


def test_no_damaged_stream_is_followed_to_where_it_points() -> None:
    """Each of these was once whole; what came of following them ended the process."""
    random_, refused = random.Random(7), 0
    bases = [
        streamed(RAW | {"city": city}, compression)
        for compression in (None, "zstd")
        for city in (RAW["city"], RAW["city"].dictionary_encode(), RAW["city"].cast(pa.string_view()))
    ]
    for _ in range(2_000):
        damaged = bytearray(random_.choice(bases))
        for _ in range(random_.choice([1, 2, 5])):
            damaged[random_.randrange(len(damaged))] = random_.randrange(256)
        try:
            typed(DTYPES, frame_of(bytes(damaged), 1_000)).to_dicts()
        except (Problem, Malformed):
            refused += 1
    assert 200 < refused < 2_000


def test_few_bytes_that_unfold_to_many_are_not_unfolded() -> None:
    zeros = streamed({"rain": pa.array([0.0] * 1_000_000)}, "zstd")
    texts = streamed({"city": pa.array(["x" * 10_000] * 1_000)}, "lz4")
    referred = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["x" * 100_000]))
    assert len(zeros) < 2_000 and len(texts) < 100_000
    for content in (zeros, texts, streamed({"city": referred}), streamed({"city": referred}, "zstd")):
        with pytest.raises(Problem, match="unfolds to far more than its length"):
            frame_of(content, 10_000_000)
    assert frame_of(streamed({"rain": pa.array([0.0] * 1_000)}, "zstd"), 1_000).height == 1_000
