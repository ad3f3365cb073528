"""The stores: parts replaced whole, by any number of writers, before any number of readers' eyes."""

import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from core.errors import PerennialError, SpecError
from features.online.store import Store, open_store

StartPython = Callable[[str], "subprocess.Popen[str]"]
KEYS = [f"kéy/{number}" for number in range(300)]


def version(number: int) -> dict[str, bytes]:
    return dict.fromkeys(KEYS, b"%d" % number * 50)


def seen(store: Store) -> set[bytes]:
    """The versions that one look at all keys finds; more than one is a part that is not whole."""
    return {value for values in store.get(KEYS).values() for value in values}


def test_a_key_has_a_value_of_each_part_that_has_it(store: Store) -> None:
    assert store.parts() == []
    store.put("b", {"x": b"1", "y": b"\0\xff"})
    store.put("a", {"y": b"", 'z["é"]\U0001f6e9': b"3"})
    found = store.get(["x", "y", 'z["é"]\U0001f6e9', "w"])
    assert {key: sorted(values) for key, values in found.items()} == {
        "x": [b"1"],
        "y": [b"", b"\0\xff"],
        'z["é"]\U0001f6e9': [b"3"],
        "w": [],
    }
    assert store.parts() == ["a", "b"]
    assert store.get([]) == {}


def test_a_part_is_replaced_as_a_whole_and_alone(store: Store) -> None:
    store.put("a", {"x": b"1", "y": b"1"})
    store.put("b", {"x": b"2"})
    store.put("a", {"y": b"3"})
    assert store.get(["x", "y"]) == {"x": [b"2"], "y": [b"3"]}
    store.put("a", {"y": b"3"})
    assert store.get(["x", "y"]) == {"x": [b"2"], "y": [b"3"]}
    store.put("a", {})
    assert store.get(["x", "y"]) == {"x": [b"2"], "y": []}
    assert store.parts() == ["a", "b"]


def test_a_part_that_is_dropped_is_gone(store: Store) -> None:
    store.put("a", {"x": b"1"})
    store.put("b", {"x": b"2"})
    store.drop("a")
    store.drop("never there")
    assert store.get(["x"]) == {"x": [b"2"]}
    assert store.parts() == ["b"]


def test_projects_share_a_place_and_nothing_else(url: str) -> None:
    one, other = open_store(url, "one"), open_store(url, "other")
    one.put("a", {"x": b"1"})
    other.put("a", {"x": b"2"})
    other.put("b", {"x": b"3"})
    other.drop("b")
    assert one.get(["x"]) == {"x": [b"1"]}
    assert other.get(["x"]) == {"x": [b"2"]}
    one.drop("a")
    assert (one.parts(), other.parts()) == ([], ["a"])


def test_many_keys_are_read_at_once(store: Store) -> None:
    many = {f"key {number}": b"%d" % number for number in range(20_000)}
    store.put("a", many)
    assert store.get(many.keys()) == {key: [value] for key, value in many.items()}


def test_what_is_stored_outlives_the_store_that_stored_it(url: str) -> None:
    first = open_store(url, "trips")
    first.put("a", {"x": b"1"})
    first.close()
    assert open_store(url, "trips").get(["x"]) == {"x": [b"1"]}
    assert first.get(["x"]) == {"x": [b"1"]}


def test_readers_see_the_old_part_or_the_new_and_never_wait(store: Store) -> None:
    store.put("a", version(0))
    over = threading.Event()

    def look() -> int:
        looks = 0
        while not over.is_set():
            assert len(seen(store)) == 1
            looks += 1
        return looks

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(3)]
        try:
            for number in range(1, 15):
                store.put("a", version(number))
        finally:
            over.set()
        assert all(each.result() for each in looking)
    assert seen(store) == {b"14" * 50}


def test_of_two_that_publish_one_part_at_once_one_comes_last_and_whole(store: Store) -> None:
    def publish(number: int) -> None:
        for _ in range(5):
            # Other keys each time: what one leaves of the other's would show.
            store.put("a", {f"{number}/{key}": b"1" for key in KEYS})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(publish, [1, 2]))
    found = store.get([f"{number}/{key}" for number in (1, 2) for key in KEYS])
    there = {key.split("/")[0] for key, values in found.items() if values}
    assert len(there) == 1
    assert sum(map(len, found.values())) == len(KEYS)


_PUBLISHER = """
import os, signal
from features.online.store import open_store
store = open_store({url!r}, "trips")
for number in range({times}):
    store.put("a", {{f"kéy/{{key}}": b"%d" % number * 50 for key in range(300)}})
    print(number, flush=True)

class Deadly(dict):
    def __getitem__(self, key):
        return os.kill(os.getpid(), signal.SIGKILL) if key.endswith("/150") else super().__getitem__(key)

    def items(self):
        return ((key, self[key]) for key in self)

store.put("a", Deadly({{f"kéy/{{key}}": b"new" for key in range(300)}}))
"""


@pytest.mark.slow
def test_a_publisher_that_is_killed_leaves_a_whole_part(
    url: str, store: Store, start_python: StartPython
) -> None:
    for attempt in range(4):
        publisher = start_python(_PUBLISHER.format(url=url, times=1000))
        assert publisher.stdout
        for _ in range(3):
            publisher.stdout.readline()
        time.sleep(random.Random(attempt).uniform(0, 0.02))  # somewhere in the middle of its work
        os.kill(publisher.pid, signal.SIGKILL)
        publisher.wait()
        assert len(seen(store)) == 1
        store.put("a", version(attempt))
        assert seen(store) == {b"%d" % attempt * 50}


@pytest.mark.slow
def test_a_publisher_that_dies_with_half_a_part_put_leaves_the_old_one(
    url: str, store: Store, start_python: StartPython
) -> None:
    publisher = start_python(_PUBLISHER.format(url=url, times=3))
    assert publisher.communicate()[0] == "0\n1\n2\n"
    assert publisher.returncode == -signal.SIGKILL
    assert seen(store) == {b"2" * 50}
    store.put("a", version(7))
    assert seen(store) == {b"7" * 50}


_OPENER = """
from features.online.store import open_store
import sys
print("ready", flush=True)
sys.stdin.readline()
store = open_store({url!r}, "trips")
store.put({part!r}, {{"x": b"1"}})
print(store.parts() != [], flush=True)
"""


@pytest.mark.slow
def test_any_number_of_processes_may_be_the_first(url: str, store: Store, start_python: StartPython) -> None:
    processes = [start_python(_OPENER.format(url=url, part=str(part))) for part in range(4)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["True\n"] * 4
    assert store.parts() == ["0", "1", "2", "3"]


def test_a_forked_process_goes_on_with_a_store_that_was_in_use(store: Store) -> None:
    store.put("a", {"x": b"1"})
    child = os.fork()
    if not child:
        os._exit(0 if store.get(["x"]) == {"x": [b"1"]} else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.get(["x"]) == {"x": [b"1"]}


def test_a_put_that_fails_changes_nothing(store: Store) -> None:
    store.put("a", version(1))
    with pytest.raises(Exception, match=r"unsupported|bind|Invalid input"):
        store.put("a", {**version(2), KEYS[150]: object()})  # type: ignore[dict-item]
    assert seen(store) == {b"1" * 50}


@pytest.mark.parametrize(
    "url", ["", "online.db", "sqlite://", "sqlite:///", "postgresql://me:hush@host/base", "redis://"]
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="the online store's URL must be") as raised:
        open_store(url, "trips")
    assert "hush" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url", ["redis://me:hush-hush@127.0.0.1:1/0", "redis://me:hush-hush@localhost:port/0"]
)
def test_a_password_is_in_no_error(url: str) -> None:
    with pytest.raises(PerennialError, match="online store") as raised:
        open_store(url, "trips").parts()
    assert "hush-hush" not in "".join(traceback.format_exception(raised.value))


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    place = tmp_path / "online.db"
    place.write_bytes(b"anything else" * 1000)
    with pytest.raises(PerennialError, match=r"online\.db: file is not a database"):
        open_store(f"sqlite:///{place}", "trips").get(["x"])


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'online.db'}", "trips")
    store.put("a", {"x": b"old"})
    for file in tmp_path.glob("online.db*"):
        file.unlink()
    open_store(f"sqlite:///{tmp_path / 'online.db'}", "trips").put("a", {"x": b"new"})
    assert store.get(["x"]) == {"x": [b"new"]}


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PerennialError, match=r"the online store .*online\.db: .*File exists"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'online.db'}", "trips").parts()


def test_a_redis_that_forgets_keys_is_refused(redis_url: str) -> None:
    client, store = redis.Redis.from_url(redis_url), open_store(redis_url, "trips")
    client.config_set("maxmemory", "100mb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(PerennialError, match="forgets keys when its memory is full"):
            store.put("a", {"x": b"1"})
    finally:
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
    store.put("a", {"x": b"1"})
    store.drop("a")


def test_readers_do_not_wait_for_a_writer_in_the_middle_of_its_work(tmp_path: Path) -> None:
    place = tmp_path / "online.db"
    store = open_store(f"sqlite:///{place}", "trips")
    store.put("a", version(1))
    with sqlite3.connect(place, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM facts")
        assert seen(store) == {b"1" * 50}
        writer.execute("ROLLBACK")
