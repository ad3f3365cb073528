"""A small project of trips, written on the spot; other processes; and a server of the protocol of S3."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import SpecError
from core.projects import Project, load
from core.settings import CHECKOUT, Settings

DOCUMENT = """
name: trips
title: Trips
objective: {business: know, learning: predict}
problem: binary
batches: {every: 1d, timezone: America/New_York, start: 2013-03-09, end: 2013-03-12}
events: trips
datasets:
  trips:
    source: {kind: files, path: "{batch}.csv"}
    columns: {id: integer, at: datetime, city: string, paid: float, late: boolean, seen: datetime}
    key: [id]
    event_time: at
    known_at: seen
  cities:
    source: {kind: files, path: cities.csv}
    columns: {city: string, founded: integer}
    key: [city]
decision: {before: at, lead: 1h}
outcome: {label: late, known_at: seen, maturity: 1d}
features:
  city: {from: row, column: city, kind: category}
  hour: {from: time, column: at, part: hour, timezone: America/New_York}
  founded: {from: lookup, dataset: cities, column: founded, kind: number, by: {city: city}}
  late_7d: {from: trailing, by: [city], value: late, statistic: mean, over: 7d}
"""

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home and a folder of projects of the test's own."""
    return Settings(home=tmp_path / "state", projects=tmp_path / "projects")


@pytest.fixture
def write_trips(settings: Settings) -> Callable[..., Path]:
    """Writes the project, with `edit` done to its document or as `text` has it, and gives its folder."""

    def write(
        edit: Edit = lambda document: None, functions: str | None = None, text: str | None = None
    ) -> Path:
        folder = settings.projects / "trips"
        folder.mkdir(parents=True, exist_ok=True)
        document = yaml.load(DOCUMENT, yaml.BaseLoader)
        edit(document)
        (folder / "project.yaml").write_text(text or yaml.safe_dump(document, sort_keys=False))
        if functions is not None:
            (folder / "functions.py").write_text(functions)
        return folder

    return write


@pytest.fixture
def make_trips(write_trips: Callable[..., Path], settings: Settings) -> Callable[..., Project]:
    """Writes the project as `write_trips` does, and loads it."""

    def make(*args: Any, **kwargs: Any) -> Project:
        return load(write_trips(*args, **kwargs).name, settings)

    return make


@pytest.fixture
def faults(write_trips: Callable[..., Path], settings: Settings) -> Callable[..., list[str]]:
    """The problems of the project with this edit, each without the folder before the file's name."""

    def find(*args: Any, **kwargs: Any) -> list[str]:
        folder = write_trips(*args, **kwargs)
        with pytest.raises(SpecError) as caught:
            load("trips", settings)
        said = str(caught.value)
        for jargon in ("Input", "extra_forbidden", "pydantic", "valid string", "dictionary", "_type", "tag"):
            assert jargon not in said
        return [line.removeprefix(f"{folder}/") for line in said.splitlines()]

    return find


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python process of its own with this code and these arguments; its output is a pipe."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


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
