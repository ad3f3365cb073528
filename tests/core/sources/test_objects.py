"""Objects of an S3 server: found, downloaded whole, and spoken of without a secret."""

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from core.batches import Batch, Calendar
from core.errors import DeliveryError
from core.secrets import Secrets
from core.sources import files, objects
from core.sources.declared import FilesSource
from core.sources.items import Fetched, Item

BATCHES = Calendar("1mo", "UTC", date(2013, 1, 1), date(2014, 1, 1)).batches()
CSV = b"id,city\n1,Rome\n2,NA\n"


class Bucket(Protocol):
    name: str
    client: Any

    def put(self, key: str, content: bytes) -> str: ...


def items(url: str, known: dict[str, str] | None = None, batches: list[Batch] = BATCHES) -> list[Item]:
    source = FilesSource(kind="files", path=url)
    return files.items(Path("/no/folder"), source, batches, known or {}, Secrets())


def fetch(url: str, item: Item, staging: Path) -> Fetched:
    columns = {"id": "string", "city": "string"}
    source = FilesSource(kind="files", path=url)
    return files.fetch(Path("/no/folder"), source, item, columns, BATCHES, staging, Secrets())


def names(bucket: Bucket, path: str, batches: list[Batch] = BATCHES) -> list[tuple[str, str | None]]:
    url = f"s3://{bucket.name}/"
    return [(item.name.removeprefix(url), item.batch) for item in items(url + path, {}, batches)]


def test_an_object_is_staged_like_a_file(bucket: Bucket, tmp_path: Path) -> None:
    frame = pl.read_csv(CSV, null_values="NA")
    frame.write_parquet(tmp_path / "x.parquet")
    contents = {
        "trips é +%20.csv": CSV,
        "in/trips.csv.gz": gzip.compress(CSV),
        "x.parquet": (tmp_path / "x.parquet").read_bytes(),
        "x.jsonl": b'{"id":1,"city":"Rome"}\n{"id":2}\n',
    }
    for key, content in contents.items():
        url = bucket.put(key, content)
        (item,) = items(url)
        assert (item.name, item.size, item.batch) == (url, len(content), None)
        fetched = fetch(url, item, tmp_path / "staging")
        assert fetched.digest == hashlib.sha256(content).hexdigest()
        staged = pl.read_parquet(fetched.path)
        assert staged.cast({"id": pl.String}).rows() == [(0, "1", "Rome", None), (1, "2", None, None)]
    assert not [path for path in (tmp_path / "staging").iterdir() if path.name.startswith(".")]


def test_a_pattern_names_objects_as_it_names_files(bucket: Bucket) -> None:
    for key in (
        "in/a.csv",
        "in/b.csv",
        "in/_c.csv",
        "in/d.csv.tmp",
        "in/sub/2013-01.csv",
        "in/sub/x/e.csv",
        "f.csv",
    ):
        bucket.put(key, CSV)
    bucket.put("in/2013-02.csv", b"")
    assert names(bucket, "in/*.csv") == [("in/2013-02.csv", None), ("in/a.csv", None), ("in/b.csv", None)]
    assert names(bucket, "in/?.csv") == [("in/a.csv", None), ("in/b.csv", None)]
    assert names(bucket, "*.csv") == [("f.csv", None)]
    assert names(bucket, "**/e.csv") == [("in/sub/x/e.csv", None)]
    assert len(names(bucket, "**/*.csv")) == 6
    assert [key for key, _ in names(bucket, "in/sub/**")] == ["in/sub/2013-01.csv", "in/sub/x/e.csv"]
    assert names(bucket, "in/{batch}.csv") == [("in/2013-02.csv", "2013-02")]
    assert names(bucket, "in/{batch}.csv", BATCHES[:1]) == []
    assert names(bucket, "**/{batch}.csv") == [
        ("in/2013-02.csv", "2013-02"),
        ("in/sub/2013-01.csv", "2013-01"),
    ]


def test_an_object_that_is_replaced_within_a_second_by_one_as_large_is_seen(
    bucket: Bucket, tmp_path: Path
) -> None:
    def modified() -> Any:
        return bucket.client.head_object(Bucket=bucket.name, Key="a.csv")["LastModified"]

    pattern = f"s3://{bucket.name}/*.csv"
    before = after = None
    while before is None or before != after:  # until both were put within the same second
        url = bucket.put("a.csv", CSV)
        before = modified()
        (item,) = items(url)
        fetched = fetch(url, item, tmp_path)
        known = {url: fetched.mark or ""}
        unchanged = [*items(url, known), *items(pattern, known)]
        assert [found.mark for found in unchanged] == [fetched.mark, fetched.mark]
        bucket.put("a.csv", CSV.replace(b"Rome", b"Oslo"))
        after = modified()
        (item,) = items(pattern, known)
        assert item.mark != fetched.mark
    assert fetch(url, item, tmp_path).digest != fetched.digest


def test_a_thousand_objects_are_listed_at_once(bucket: Bucket) -> None:
    # Put behind the server's back, which takes seconds to be asked a thousand times.
    server = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(1001):  # one more than an answer of the server holds
        server.put_object(bucket.name, f"in/{number}.csv", b"x")
    started = time.perf_counter()
    assert len(items(f"s3://{bucket.name}/in/*.csv")) == 1001
    assert time.perf_counter() - started < 10


def test_an_object_that_changes_while_it_is_read_is_refused(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket.put("a.csv", CSV)
    (item,) = items(url)
    chunks = objects._chunks

    def slowly(*arguments: Any) -> Iterator[bytes]:
        yield from chunks(*arguments)
        bucket.put("a.csv", CSV.replace(b"Rome", b"Oslo"))

    monkeypatch.setattr(objects, "_chunks", slowly)
    with pytest.raises(DeliveryError, match=r"a\.csv: changed while it was read"):
        fetch(url, item, tmp_path / "staging")
    assert not list((tmp_path / "staging").iterdir())


def test_where_nothing_lies_it_is_said(bucket: Bucket, tmp_path: Path) -> None:
    url = bucket.put("in/a.csv", CSV)
    for path, said in {
        f"s3://{bucket.name}/in/b.csv": "b.csv: is missing",
        f"s3://{bucket.name}/in": r"is a folder: say which of its files, as in s3://.*/in/\*\.parquet",
        f"s3://{bucket.name}/in/*.parquet": "there is no such file",
        "s3://no-such-bucket/a.csv": "there is no bucket 'no-such-bucket'",
        "s3://no-such-bucket/*.csv": "there is no bucket 'no-such-bucket'",
        "s3://no-such-bucket/{batch}.csv": "there is no bucket 'no-such-bucket'",
        f"s3://{bucket.name}": "name a bucket and a key",
        "s3://*/a.csv": "name a bucket and a key",
    }.items():
        with pytest.raises(DeliveryError, match=said):
            items(path)
    (item,) = items(url)
    bucket.client.delete_object(Bucket=bucket.name, Key="in/a.csv")
    with pytest.raises(DeliveryError, match=r"in/a\.csv: is missing"):
        fetch(url, item, tmp_path)


def test_credentials_in_a_url_are_refused_and_not_repeated(aws: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeliveryError, match="bears credentials") as error:
        items("s3://key:planted-secret@bucket/a.csv")
    assert "planted-secret" not in str(error.value)


# -- servers that do not do what they should


def fails(url: str, within: float) -> str:
    """What is said when nothing can be found there, within some seconds; no secret is in it."""
    started = time.perf_counter()
    with pytest.raises(DeliveryError) as error:
        items(url)
    assert time.perf_counter() - started < within
    assert url in str(error.value)
    assert "planted" not in str(error.value)
    return str(error.value)


def test_an_endpoint_that_is_not_there_fails_in_seconds(aws: pytest.MonkeyPatch, closed_port: str) -> None:
    aws.setenv("AWS_ENDPOINT_URL_S3", f"http://{closed_port}")
    assert "Could not connect" in fails("s3://bucket/a.csv", 15)


@pytest.fixture
def answering(aws: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts a server that gives each request this answer, or none; gives what it was asked."""
    sockets: list[socket.socket] = []
    asked: list[bytes] = []

    def start(answer: bytes | None) -> list[bytes]:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=serve, args=(listening, answer), daemon=True).start()
        return asked

    def serve(listening: socket.socket, answer: bytes | None) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            sockets.append(connection)
            if answer is not None:
                asked.append(connection.recv(1 << 16))
                connection.sendall(answer)
                connection.close()

    yield start
    for each in sockets:
        each.close()


def test_denied_access_is_said(answering: Any) -> None:
    answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert "ACCESS_DENIED" in fails("s3://bucket/a.csv", 15)
    assert "ACCESS_DENIED" in fails("s3://bucket/*.csv", 15)


def test_credentials_are_those_of_the_environment_or_the_profile(
    answering: Any, aws: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    aws.setenv("AWS_SESSION_TOKEN", "planted-token")
    fails("s3://bucket/a.csv", 15)
    assert b"Credential=planted-access-key/" in asked[-1]
    assert b"x-amz-security-token: planted-token" in asked[-1].lower()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        aws.delenv(name)
    (tmp_path / "credentials").write_text(
        "[team]\naws_access_key_id = of-team\naws_secret_access_key = planted\n"
    )
    aws.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    aws.setenv("AWS_PROFILE", "team")
    fails("s3://bucket/a.csv", 15)
    assert b"Credential=of-team/" in asked[-1]


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up(answering: Any) -> None:
    answering(None)
    assert "Timeout" in fails("s3://bucket/a.csv", 40)
