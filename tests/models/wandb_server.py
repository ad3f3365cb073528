"""As much of a W&B server as reports and runs with files and artifacts need, on the loopback interface.

It keeps what it is sent as W&B does: lines of a stream by their place, so that a line that is sent
twice is there once. `answer_with` makes it ill: by the name of a request, such as `CreateArtifact` or
`file_stream`, it gives the status to answer with, or `HANG`; None when it is well.
"""

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.models.wandb_report_requests import ABOUT_REPORTS

HANG = 0


@dataclass
class WandbServer:
    """What was asked for and received."""

    address: str = ""
    asked: list[str] = field(default_factory=list)
    streams: dict[tuple[str, str], dict[int, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    committed: list[str] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)
    projects: set[str] = field(default_factory=set)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    answer_with: Callable[[str], int | None] = lambda name: None
    released: threading.Event = field(default_factory=threading.Event)

    def lines(self, run: str, stream: str = "wandb-history.jsonl") -> list[Any]:
        """The lines of a run's stream, in order."""
        found = self.streams.get((run, stream), {})
        return [found[place] for place in sorted(found)]

    @property
    def runs(self) -> list[str]:
        """The ids of the runs of which something was streamed."""
        return sorted({run for run, _ in self.streams})

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """Keep what a run streams."""
        for name, part in body.get("files", {}).items():
            kept = self.streams.setdefault((run, name), {})
            for place, line in enumerate(part["content"], part["offset"]):
                kept[place] = json.loads(line)
        if body.get("complete"):
            self.exit_codes[run] = body["exitcode"]

    def data(self, name: str, variables: dict[str, Any]) -> Any:
        """What a question is answered with."""
        given = variables.get("input") or {}
        if name == "CreateArtifact":
            self.artifacts[given["artifactCollectionName"]] = given
            artifact = {"id": given["artifactCollectionName"], "state": "PENDING"}
            return {
                "createArtifact": {
                    "artifact": artifact | {"artifactSequence": {"id": "s", "latestArtifact": None}}
                }
            }
        if name == "CommitArtifact":
            self.committed.append(variables["artifactID"])
            return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": "d"}}}
        if name == "UseArtifact":
            self.used.add((given["runName"], given["artifactID"]))
            return {"useArtifact": {"artifact": {"id": given["artifactID"]}}}
        if name == "CreateArtifactManifest":
            upload = self._upload(f"manifest/{variables['artifactID']}")
            return {
                "createArtifactManifest": {
                    "artifactManifest": {"id": variables["artifactID"], "file": upload}
                }
            }
        if name == "CreateArtifactFiles":
            places = [f"artifact/{each['artifactID']}/{each['name']}" for each in given["artifactFiles"]]
            edges = [
                {"node": self._upload(place) | {"storagePath": "", "artifact": {"id": "a"}}}
                for place in places
            ]
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if name == "CreateRunFiles":
            run = variables["run"]
            files = [{"name": each, **self._upload(f"run/{run}/{each}")} for each in variables["files"]]
            return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}
        if name in ABOUT_REPORTS:
            return ABOUT_REPORTS[name](self, variables)
        if name == "UpsertBucket":
            self.projects.add("flights")
            project = {"id": "p", "name": "flights", "entity": {"id": "e", "name": "ann"}}
            bucket = {
                "id": "b",
                "name": variables["name"],
                "displayName": "fit",
                "config": "{}",
                "project": project,
            }
            return {"upsertBucket": {"inserted": True, "bucket": bucket}}
        return {"serverInfo": {"features": []}}

    def _upload(self, place: str) -> dict[str, Any]:
        return {"id": "f", "uploadUrl": f"{self.address}/{place}", "uploadHeaders": []}


@contextmanager
def running() -> Iterator[WandbServer]:
    """A server for as long as the block lasts."""
    state = WandbServer()

    class Handler(_Handler):
        server_state = state

    with _Server(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield state
        finally:
            state.released.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # those of idle connections need not be waited for

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: WandbServer

    def do_GET(self) -> None:
        self._respond("GET", lambda: {})

    def do_PUT(self) -> None:
        path, body = self.path.lstrip("/"), self._body()
        self._respond(path, lambda: self.server_state.files.update({path: body}) or {})

    def do_POST(self) -> None:
        body = json.loads(self._body())
        if self.path == "/graphql":
            [name] = re.findall(r"(?:query|mutation) (\w+)", body["query"])[:1]
            self._respond(name, lambda: {"data": self.server_state.data(name, body.get("variables") or {})})
        else:
            run = self.path.split("/")[-2]
            self._respond("file_stream", lambda: self.server_state.stream(run, body) or {})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _respond(self, name: str, content: Callable[[], Any]) -> None:
        self.server_state.asked.append(name)
        status = self.server_state.answer_with(name)
        if status == HANG:
            self.server_state.released.wait()
            self.close_connection = True
            return
        body = json.dumps({} if status else content()).encode()
        try:
            self.send_response(status or 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True
