"""The registry keeps versions unchanged, exactly one champion, and no half of anything."""

import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import IntegrityError, PerennialError
from models.registry.registry import Lineage, Registry, Version

ROOT = Path(__file__).parents[2]
APRIL = datetime(2013, 4, 1, 4, tzinfo=UTC)


@pytest.fixture
def registry(database: str, tmp_path: Path) -> Registry:
    return Registry(database, tmp_path / "store")


def lineage(seed: int = 1) -> Lineage:
    until = datetime(2013, 3, 20, tzinfo=ZoneInfo("America/New_York"))
    return Lineage(
        {"features": 3}, ("2013-01", "2013-02"), APRIL, "abc", "def", {"numpy": "2.4"}, seed, until
    )


def bundle(folder: Path, content: str = "graph") -> Path:
    (folder / "native").mkdir(parents=True, exist_ok=True)
    (folder / "float32.onnx").write_text(content)
    (folder / "native" / "model.txt").write_text("trees")
    return folder


def register(registry: Registry, folder: Path, count: int) -> list[Version]:
    return [
        registry.register("flights", "linear", bundle(folder), {"n": n}, lineage(n)) for n in range(count)
    ]


def promote(registry: Registry, version: Version, over: Version | None) -> Version:
    return registry.promote(version, over=over, why="better", evidence={"gain": 0.01}, at=APRIL, by="tests")


def champions(registry: Registry) -> list[str]:
    return [version.id for version in registry.versions("flights") if version.stage == "champion"]


PRELUDE = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from core.errors import IntegrityError
from models.registry.registry import Lineage, Registry

def lineage(seed):
    now = datetime(2013, 4, 1, tzinfo=UTC)
    return Lineage(dict(), (), now, "", "", dict(), seed, now)

print("ready", flush=True)
sys.stdin.readline()
"""


def start(script: str) -> subprocess.Popen[str]:
    """A Python process that has imported the registry and runs the script on the first line it is sent."""
    command, environment = (
        [sys.executable, "-c", PRELUDE + script],
        os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
    )
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def at_once(*scripts: str) -> list[str]:
    """What each script prints, all run by processes of their own that start on one signal."""
    running = [start(script) for script in scripts]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        go(process)
    return [process.communicate(timeout=60)[0].strip() for process in running]


def test_a_version_comes_back_as_it_was_registered(registry: Registry, tmp_path: Path) -> None:
    metrics = {"holdout": {"auc": 0.7, "brier": float("nan")}}
    version = registry.register("flights", "linear", bundle(tmp_path / "fit"), metrics, lineage())
    assert version == registry.version("flights/1") == registry.versions("flights")[0]
    assert version.stage == "challenger"
    assert version.lineage == lineage()
    assert version.lineage.trained_until.utcoffset() is not None
    assert version.metrics == {"holdout": {"auc": 0.7, "brier": None}}
    assert sorted(version.files) == ["float32.onnx", "native/model.txt"]
    assert registry.file(version, "native/model.txt").read_text() == "trees"


def test_the_same_files_and_lineage_are_the_same_version(registry: Registry, tmp_path: Path) -> None:
    first = registry.register("flights", "linear", bundle(tmp_path / "a"), {"seconds": 1}, lineage())
    again = registry.register("flights", "linear", bundle(tmp_path / "b"), {"seconds": 2}, lineage())
    other_files = registry.register("flights", "linear", bundle(tmp_path / "c", "other"), {}, lineage())
    other_lineage = registry.register("flights", "linear", bundle(tmp_path / "a"), {}, lineage(2))
    other_project = registry.register("taxis", "linear", bundle(tmp_path / "a"), {}, lineage())
    assert again == first
    assert [v.id for v in (first, other_files, other_lineage, other_project)] == [
        "flights/1",
        "flights/2",
        "flights/3",
        "taxis/1",
    ]


def test_unknown_names_are_answered_with_the_known_ones(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path / "fit", 2)
    with pytest.raises(PerennialError, match=r"no version 'flights/7'; known are: flights/1, flights/2"):
        registry.version("flights/7")
    with pytest.raises(PerennialError, match=r"flights/1 has no file 'int8.onnx', but float32.onnx, native"):
        registry.file("flights/1", "int8.onnx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PerennialError, match="holds no file"):
        registry.register("flights", "linear", tmp_path / "empty", {}, lineage())
    with pytest.raises(PerennialError, match="must begin with sqlite or postgresql, not with 'mysql'"):
        Registry("mysql://somewhere/registry", tmp_path)


def test_promotion_retires_the_champion_and_records_both_changes(registry: Registry, tmp_path: Path) -> None:
    first, second = register(registry, tmp_path / "fit", 2)
    promote(registry, first, over=None)
    new_york = datetime(2013, 5, 1, tzinfo=ZoneInfo("America/New_York"))
    registry.promote(
        second, over="flights/1", why="gain 0.01", evidence={"gain": 0.01}, at=new_york, by="gate"
    )
    assert registry.champion("flights") == registry.version("flights/2")
    assert [version.stage for version in registry.versions("flights")] == ["retired", "champion"]
    _, retired, crowned = registry.transitions("flights")
    assert (retired.version, retired.before, retired.after) == ("flights/1", "champion", "retired")
    assert (crowned.version, crowned.before, crowned.after) == ("flights/2", "challenger", "champion")
    for change in (retired, crowned):
        assert (change.action, change.why, change.by) == ("promote", "gain 0.01", "gate")
        assert change.evidence == {"gain": 0.01}
        assert (change.at, change.at.tzinfo) == (new_york, UTC)


def test_promoting_twice_is_promoting_once(registry: Registry, tmp_path: Path) -> None:
    first, second = register(registry, tmp_path / "fit", 2)
    promote(registry, first, over=None)
    promote(registry, second, over=first)
    history = registry.transitions("flights")
    assert promote(registry, second, over=first) == registry.champion("flights")
    assert registry.transitions("flights") == history


def test_evidence_against_another_champion_promotes_nothing(registry: Registry, tmp_path: Path) -> None:
    first, second, third = register(registry, tmp_path / "fit", 3)
    promote(registry, first, over=None)
    promote(registry, second, over=first)
    history = registry.transitions("flights")
    with pytest.raises(
        IntegrityError, match="flights/3 was judged against flights/1, but flights/2 is champion"
    ):
        promote(registry, third, over=first)
    with pytest.raises(IntegrityError, match="judged against None"):
        promote(registry, third, over=None)
    assert champions(registry) == ["flights/2"]
    assert registry.transitions("flights") == history


def test_processes_that_promote_at_once_leave_one_champion(database: str, tmp_path: Path) -> None:
    registry = Registry(database, tmp_path / "store")
    register(registry, tmp_path / "fit", 4)
    script = """
registry = Registry({database!r}, Path({store!r}))
try:
    at = datetime(2013, 4, 1, tzinfo=UTC)
    print(registry.promote("flights/{n}", over=None, why="", evidence=dict(), at=at, by=""))
except IntegrityError as error:
    print("refused")
"""
    answers = at_once(
        *(script.format(database=database, store=str(tmp_path / "store"), n=n) for n in (1, 2, 3, 4))
    )
    assert sorted(answers) == [*champions(registry), "refused", "refused", "refused"]
    assert len(registry.transitions("flights")) == 1


def test_processes_that_register_at_once_share_numbers_and_tables(database: str, tmp_path: Path) -> None:
    script = """
registry = Registry({database!r}, Path({store!r}))
print(registry.register("flights", "linear", Path({fit!r}), dict(), lineage({seed})))
"""
    fit, store = bundle(tmp_path / "fit"), tmp_path / "store"
    answers = at_once(
        *(script.format(database=database, store=str(store), fit=str(fit), seed=n % 2) for n in range(4))
    )
    assert answers[0] == answers[2] != answers[1] == answers[3]
    assert [version.id for version in Registry(database, store).versions("flights")] == [
        "flights/1",
        "flights/2",
    ]


def test_the_database_itself_refuses_a_second_champion(
    registry: Registry, database: str, tmp_path: Path
) -> None:
    first, _ = register(registry, tmp_path / "fit", 2)
    promote(registry, first, over=None)
    with pytest.raises(sa.exc.IntegrityError), sa.create_engine(database).begin() as connection:
        connection.execute(sa.text("UPDATE versions SET stage = 'champion'"))
    with pytest.raises(sa.exc.IntegrityError), sa.create_engine(database).begin() as connection:
        connection.execute(sa.text("UPDATE versions SET stage = 'winner'"))


def test_rollback_goes_back_one_champion_at_a_time(registry: Registry, tmp_path: Path) -> None:
    first, second, third = register(registry, tmp_path / "fit", 3)
    for version, over in ((first, None), (second, first), (third, second)):
        promote(registry, version, over)
    for expected in ("flights/2", "flights/1"):
        version = registry.rollback("flights", why="late rate is off", at=APRIL, by="ann")
        assert [version.id] == champions(registry) == [expected]
    last = registry.transitions("flights")[-1]
    assert (last.version, last.action, last.before, last.after) == (
        "flights/1",
        "rollback",
        "retired",
        "champion",
    )
    assert (last.why, last.by, last.at) == ("late rate is off", "ann", APRIL)
    with pytest.raises(PerennialError, match="cannot roll back to before its first champion"):
        registry.rollback("flights", why="further", at=APRIL, by="ann")


def test_rollback_to_a_named_champion_only(registry: Registry, tmp_path: Path) -> None:
    first, second, never = register(registry, tmp_path / "fit", 3)
    promote(registry, first, over=None)
    promote(registry, second, over=first)
    with pytest.raises(PerennialError, match="to flights/3: its champions so far were flights/1, flights/2"):
        registry.rollback("flights", to=never, why="", at=APRIL, by="ann")
    for _ in range(2):  # a repeated call is the same call
        registry.rollback("flights", to="flights/1", why="", at=APRIL, by="ann")
        assert champions(registry) == ["flights/1"]
    registry.rollback("flights", to=second, why="it was not the model", at=APRIL, by="ann")
    assert champions(registry) == ["flights/2"]


def test_a_failure_half_way_through_a_rollback_changes_nothing(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/registry.db"
    registry = Registry(database, tmp_path / "store")
    first, second = register(registry, tmp_path / "fit", 2)
    promote(registry, first, over=None)
    promote(registry, second, over=first)
    before = registry.versions("flights"), registry.transitions("flights")
    with sa.create_engine(database).begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TRIGGER fault BEFORE INSERT ON transitions WHEN NEW.after = 'champion' "
                "BEGIN SELECT RAISE(ABORT, 'planted'); END"
            )
        )
    with pytest.raises(sa.exc.IntegrityError, match="planted"):
        registry.rollback("flights", why="", at=APRIL, by="ann")
    assert (registry.versions("flights"), registry.transitions("flights")) == before


def test_a_refused_challenger_is_retired_with_the_evidence(registry: Registry, tmp_path: Path) -> None:
    first, second = register(registry, tmp_path / "fit", 2)
    promote(registry, first, over=None)
    for _ in range(2):
        registry.retire(second, why="not better", evidence={"gain": -0.01}, at=APRIL, by="gate")
    assert [version.stage for version in registry.versions("flights")] == ["champion", "retired"]
    assert [change.evidence for change in registry.transitions("flights")[1:]] == [{"gain": -0.01}]
    with pytest.raises(PerennialError, match="flights/1 is champion"):
        registry.retire(first, why="", evidence={}, at=APRIL, by="gate")


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_whatever_is_called_there_is_one_champion_and_history_tells_which(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[bool, int]]
) -> None:
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(f"sqlite:///{folder}/registry.db", folder / "store")
    register(registry, folder / "fit", 3)
    for step, (back, number) in enumerate(calls):
        champion, at = registry.champion("flights"), APRIL + timedelta(hours=step)
        if not back:
            registry.promote(f"flights/{number}", over=champion, why="", evidence={}, at=at, by="")
        else:
            crowned = {
                change.version for change in registry.transitions("flights") if change.after == "champion"
            }
            if f"flights/{number}" in crowned:
                registry.rollback("flights", to=f"flights/{number}", why="", at=at, by="")
        last = [change.version for change in registry.transitions("flights") if change.after == "champion"][
            -1:
        ]
        assert champions(registry) == last


def test_a_changed_file_is_not_handed_out(registry: Registry, tmp_path: Path) -> None:
    version = registry.register("flights", "linear", bundle(tmp_path / "fit"), {}, lineage())
    path, expected = registry.file(version, "float32.onnx"), version.files["float32.onnx"]
    path.chmod(0o644)
    path.write_text("grapf")
    with pytest.raises(
        IntegrityError, match=rf"flights/1 float32.onnx: {path} was changed.*{expected}.*roll back"
    ):
        registry.file(version, "float32.onnx")
    path.unlink()
    with pytest.raises(IntegrityError, match=rf"{path} is missing \(sha256 {expected}\)"):
        registry.file(version, "float32.onnx")
    registry.register("flights", "linear", bundle(tmp_path / "fit"), {}, lineage())
    assert registry.file(version, "float32.onnx").read_text() == "graph"


def test_a_full_disk_leaves_neither_a_version_nor_a_file(registry: Registry, tmp_path: Path) -> None:
    registry.versions("flights")
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "large").write_bytes(bytes(200_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            registry.register("flights", "linear", tmp_path / "fit", {}, lineage())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert registry.versions("flights") == []
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_killed_process_leaves_whole_versions_only(database: str, tmp_path: Path) -> None:
    (tmp_path / "fit").mkdir()
    script = f"""
registry = Registry({database!r}, Path({str(tmp_path / "store")!r}))
for seed in range(1000):
    Path({str(tmp_path / "fit")!r}, "graph").write_bytes(os.urandom(300_000))
    Path({str(tmp_path / "fit")!r}, "model").write_bytes(os.urandom(300_000))
    version = registry.register("flights", "linear", Path({str(tmp_path / "fit")!r}), dict(), lineage(seed))
    print(version, flush=True)
"""
    with start(script) as process:
        go(process)
        assert process.stdout
        reported = [process.stdout.readline().strip() for _ in range(4)]
        process.kill()
    registry = Registry(database, tmp_path / "store")
    versions = registry.versions("flights")
    assert [version.id for version in versions][:3] == reported[1:]
    for version in versions:
        assert [registry.file(version, name).stat().st_size for name in version.files] == [300_000, 300_000]
    assert promote(registry, versions[0], over=None).stage == "champion"


def test_an_archived_version_is_retired_and_keeps_what_it_was_trained_on(
    registry: Registry, tmp_path: Path
) -> None:
    first, second, third = register(registry, tmp_path / "fit", 3)
    promote(registry, first, over=None)
    promote(registry, second, over=first)
    for _ in range(2):  # a repeated call is the same call
        for version in (first, third):
            kept = registry.archive(version, "ab" * 32, why="out of use", at=APRIL, by="ann")
            assert (kept.version, kept.sha256, kept.tables) == (version.id, "ab" * 32, {"features": 3})
    assert [each.version for each in registry.archives("flights")] == ["flights/1", "flights/3"]
    assert registry.version(third).stage == "retired"
    assert [change.version for change in registry.transitions("flights")].count("flights/3") == 1
    with pytest.raises(PerennialError, match="flights/2 is champion"):
        registry.archive(second, "ab" * 32, why="", at=APRIL, by="ann")
    assert registry.rollback("flights", to=first, why="", at=APRIL, by="ann").stage == "champion"


def test_a_version_is_found_by_what_it_was_made_from(registry: Registry, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "fit")
    for number, made_from in enumerate(("aa", "bb", "bb")):
        registry.register("flights", "linear", folder, {"made_from": made_from}, lineage(number))
        registry.register("trains", "linear", folder, {"made_from": "cc"}, lineage(number))
    found = registry.made_from("flights", "bb")
    assert found == registry.version("flights/2")
    assert found is not None and found.metrics == {"made_from": "bb"}
    assert registry.made_from("flights", "cc") is None
    assert registry.made_from("nowhere", "aa") is None
