"""A server that speaks the protocol of S3, on loopback."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Bucket:
    """A bucket of the test's own, and the client through which it is filled."""

    name: str
    client: Any

    def put(self, key: str, content: bytes) -> str:
        """Put an object there; gives its URL."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content)
        return f"s3://{self.name}/{key}"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of a running server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The credentials of someone who has no profile and asks no metadata server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-key")
    return monkeypatch


@pytest.fixture
def bucket(s3_endpoint: str, aws: pytest.MonkeyPatch, tmp_path: Path) -> Bucket:
    """An empty bucket."""
    import boto3

    aws.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    name = "bucket-" + "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())[-40:]
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket=name)
    for key in client.list_objects_v2(Bucket=name).get("Contents", ()):
        client.delete_object(Bucket=name, Key=key["Key"])
    return Bucket(name, client)


@pytest.fixture
def closed_port() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
