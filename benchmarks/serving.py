"""What does the service cost beside an empty one, and what do others? `make bench-serving`.

The champion of the flights behind our service, MLflow's scoring server and BentoML, and an app with an empty
handler: one worker each, the same row, the same client, by turns, on the cores that servers and client share.
Then what a request takes inside a worker, many rows as an Arrow stream, and a release under load.
"""

import io
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import serving_release
from benchmarks.measures import Measure, report
from benchmarks.serving_client import Load, Target, at_once, paced
from benchmarks.serving_home import PROJECT, Home, made
from benchmarks.serving_servers import PATH, bentoml, empty, mlflow, ours, peers_python
from core.errors import PerennialError
from core.settings import CHECKOUT
from serving.request.bodies import ARROW

ROUNDS, CONNECTIONS, SECONDS = 5, 16, 2.0
FEWEST = 4 * CONNECTIONS  # requests of a round
LIST, LISTS = 100, 20  # rows of a list, lists of a round
BULK, BULKS = 20_000, 3  # rows of a stream, streams of a round
MOST_WAITING = 256  # connections of an open loop


@dataclass(frozen=True, slots=True)
class Servers:
    """What answers: ours, with the port that it listens on, and the others by name; why peers do not."""

    port: int
    targets: Mapping[str, Target]
    missing: str


def main() -> int:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder, ExitStack() as stack:
        home = made(Path(folder))
        inside = list(_inside(home))
        servers = _started(home, Path(folder), stack)
        loads = _loads(servers.targets)
        target = servers.targets["ours"]
        found = [
            *_throughput(loads, servers.missing),
            *inside,
            *_half_load(servers.targets, loads),
            *_lists(home, servers.port, loads["ours, raw fields"]),
            *_bulk(home, servers.port),
            *serving_release.measured(home, servers.port, target),
        ]
    return report("serving", found)


def _started(home: Home, folder: Path, stack: ExitStack) -> Servers:
    """All servers, to be ended with the stack."""
    port = stack.enter_context(ours(home))
    targets = {
        "ours": Target.of(port, PATH, home.body, key=home.key),
        "ours, raw fields": Target.of(port, PATH, json.dumps(home.raw).encode(), key=home.key),
        "ours, prepared fields": Target.of(port, PATH, json.dumps(home.prepared).encode(), key=home.key),
        "empty": stack.enter_context(empty(home)),
        "empty, bare": stack.enter_context(empty(home, "bare_app")),
    }
    try:
        python = peers_python(folder)
        targets["MLflow"] = stack.enter_context(mlflow(home, python))
        targets["BentoML"] = stack.enter_context(bentoml(home, python))
    except (PerennialError, subprocess.CalledProcessError) as error:
        return Servers(port, targets, str(error))
    return Servers(port, targets, "")


def _loads(targets: Mapping[str, Target]) -> dict[str, list[Load]]:
    """Rounds of requests to each server by turns, in each round about as long; the first only warms up."""
    requests = dict.fromkeys(targets, FEWEST)
    loads: dict[str, list[Load]] = {name: [] for name in targets}
    for _ in range(ROUNDS + 1):
        for name, target in targets.items():
            load = at_once(target, requests[name], CONNECTIONS)
            loads[name].append(load)
            requests[name] = max(FEWEST, int(SECONDS * load.rate))
        print({name: f"{each[-1].rate:,.0f}/s" for name, each in loads.items()}, flush=True)
    return {name: each[1:] for name, each in loads.items()}


def _throughput(loads: Mapping[str, list[Load]], missing: str) -> Iterator[Measure]:
    """Requests a second, and how they compare within each round."""
    for name, each in loads.items():
        rate, failed = statistics.median(load.rate for load in each), sum(load.failed for load in each)
        yield Measure(f"{name}, single rows at {CONNECTIONS} connections", rate, "requests/s")
        yield Measure(f"{name}, failed of these", failed, "requests", "0", failed == 0)
    yield _at_least("ours against empty", loads["ours"], loads["empty"], 0.6)
    peers = [name for name in ("MLflow", "BentoML") if name in loads]
    if missing or not peers:
        yield Measure(f"ours against peers: {missing}", float("nan"), "ratio", "at least 2", False)
        return
    fastest = max(peers, key=lambda name: statistics.median(load.rate for load in loads[name]))
    yield _at_least(f"ours against {fastest}", loads["ours"], loads[fastest], 2)


def _at_least(name: str, own: list[Load], other: list[Load], goal: float) -> Measure:
    ratio = statistics.median(mine.rate / theirs.rate for mine, theirs in zip(own, other, strict=True))
    return Measure(f"{name}, requests a second", ratio, "ratio", f"at least {goal:g}", ratio >= goal)


def _inside(home: Home) -> Iterator[Measure]:
    """What a request takes inside a worker."""
    feed = {name: [[value]] for name, value in home.row.items()}
    asked = {"project": PROJECT, "key": home.key, "body": home.body.decode(), "graph": str(home.graph)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving_inside"],
        cwd=CHECKOUT,
        input=json.dumps(asked | {"feed": feed}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    spent = json.loads(done.stdout)
    for name, seconds in spent.items():
        yield Measure(f"inside, {name}, median", 1e6 * statistics.median(seconds), "µs")
    for nothing, goal in (("empty", "at most 1.5"), ("empty, bare", "")):
        rounds = zip(spent["ours"], spent["session"], spent[nothing], strict=True)
        ratio = statistics.median(own / (session + least) for own, session, least in rounds)
        name = f"inside, ours against session and {nothing}"
        yield Measure(name, ratio, "ratio", goal, not goal or ratio <= 1.5)


def _half_load(targets: Mapping[str, Target], loads: Mapping[str, list[Load]]) -> Iterator[Measure]:
    """Latencies where half of what is possible is asked for, at random instants; of the empty app, too: what
    that takes at the slowest is the machine's.
    """
    for name, goal in (("ours", "at most 5"), ("empty", "")):
        rate = statistics.median(load.rate for load in loads[name]) / 2
        paces = [paced(targets[name], int(2 * SECONDS * rate), rate, MOST_WAITING) for _ in range(ROUNDS)]
        found = np.array([np.percentile(load.latencies, (50, 99)) for load in paces])
        middle, slow = 1e3 * np.median(found, axis=0)
        ratio = float(np.median(found[:, 1] / found[:, 0]))
        what = f"{name} at half load"
        yield Measure(f"{what}, median", float(middle), "ms")
        yield Measure(f"{what}, p99", float(slow), "ms")
        yield Measure(f"{what}, p99 against median", ratio, "ratio", goal, not goal or ratio <= 5)


def _lists(home: Home, port: int, singles: list[Load]) -> Iterator[Measure]:
    """Rows a second where a hundred are asked for at once, by raw fields that are to be prepared."""
    target = Target.of(port, PATH, json.dumps([home.raw] * LIST).encode(), key=home.key)
    loads = [at_once(target, LISTS, 2) for _ in range(ROUNDS + 1)][1:]
    failed, rate = sum(load.failed for load in loads), statistics.median(LIST * load.rate for load in loads)
    yield Measure(f"lists of {LIST} rows of raw fields", rate, "rows/s", "", failed == 0)
    ratio = rate / statistics.median(load.rate for load in singles)
    yield Measure("lists of raw fields against single rows", ratio, "ratio")


def _bulk(home: Home, port: int) -> Iterator[Measure]:
    """Rows a second of Arrow streams, and of the graph alone in this process, by turns."""
    frame, model, stream = home.rows.head(BULK), home.model(), io.BytesIO()
    frame.write_ipc_stream(stream)
    target = Target.of(port, PATH, stream.getvalue(), ARROW, home.key)
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS + 1):
        load = at_once(target, BULKS, 1)
        if load.failed:
            raise PerennialError("a stream was not answered")
        started = perf_counter()
        for _ in range(BULKS):
            model.predict(frame)
        rates.append((load.rate * frame.height, BULKS * frame.height / (perf_counter() - started)))
    served, alone = (statistics.median(each) for each in zip(*rates[1:], strict=True))
    ratio = statistics.median(one / other for one, other in rates[1:])
    yield Measure(f"bulk, streams of {frame.height:,} rows", served, "rows/s")
    yield Measure("bulk, the session in process", alone, "rows/s")
    yield Measure("bulk, stream against session", ratio, "ratio", "at least 0.5", ratio >= 0.5)


if __name__ == "__main__":
    sys.exit(main())
