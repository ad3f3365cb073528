"""A project is loaded as it is written, or every mistake in it is named: file, line, key, what is right."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import SpecError
from core.projects import Project, load, names
from core.settings import Settings
from core.spec import Lookup, Spec

Document = dict[str, Any]
Edit = Callable[[Document], object]
WriteTrips = Callable[..., Path]
MakeTrips = Callable[..., Project]


def line_of(folder: Path, text: str) -> int:
    """The line of the spec that begins with this, indented or not."""
    lines = (folder / "project.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(text))


# -- what is right


def test_a_spec_is_read_as_it_is_written(make_trips: MakeTrips) -> None:
    project = make_trips()
    spec = project.spec
    assert project.name == "trips"
    assert spec.batches.start == date(2013, 3, 9)
    assert spec.decision.lead == timedelta(hours=1)
    assert list(spec.features) == ["city", "hour", "founded", "late_7d"]
    founded = spec.features["founded"]
    assert isinstance(founded, Lookup) and founded.by == {"city": "city"}
    assert Spec.model_validate_json(spec.model_dump_json(by_alias=True)) == spec


def test_words_that_yaml_takes_for_others_are_texts(make_trips: MakeTrips) -> None:
    def edit(document: Document) -> None:
        document["datasets"]["trips"]["columns"] |= {"on": "boolean", "NO": "string", "12:30": "float"}
        document["title"] = "no"

    project = make_trips(text=None, edit=edit)
    text = (project.folder / "project.yaml").read_text().replace("'on'", "on").replace("'NO'", "NO")
    project = make_trips(text=text.replace("'no'", "no").replace("'12:30'", "12:30"))
    assert list(project.spec.datasets["trips"].columns)[-3:] == ["on", "NO", "12:30"]
    assert project.spec.title == "no"


def test_functions_are_those_that_the_file_itself_defines(make_trips: MakeTrips) -> None:
    code = (
        "from pathlib import Path\nfrom textwrap import dedent\ndef twice(x):\n    return 2 * x\nthrice = 3\n"
    )
    project = make_trips(functions=code)
    assert list(project.functions) == ["twice"]
    assert project.functions["twice"](4) == 8
    assert project.code == code
    # Written anew within the second and with as many characters, it is not taken from a cache.
    assert make_trips(functions=code.replace("2", "5")).functions["twice"](4) == 20
    assert not (project.folder / "__pycache__").exists()


def test_projects_are_listed(make_trips: MakeTrips, settings: Settings) -> None:
    assert names(settings) == []
    make_trips()
    (settings.projects / "empty").mkdir()
    assert names(settings) == ["trips"]


# -- keys


@pytest.mark.parametrize(
    ("edit", "line", "said"),
    [
        (lambda it: it.update(evnts="x"), "evnts", "evnts: no such key; did you mean 'events'?"),
        (
            lambda it: it["datasets"]["trips"].update(prepre="x"),
            "prepre",
            "datasets.trips.prepre: no such key; did you mean 'prepare'?",
        ),
        (
            lambda it: it["datasets"]["cities"]["source"].update(pth="x"),
            "pth",
            "datasets.cities.source.pth: no such key; did you mean 'path'?",
        ),
        (
            lambda it: it["features"]["hour"].update(timezon="x"),
            "timezon:",
            "features.hour.timezon: no such key; did you mean 'timezone'?",
        ),
        (
            lambda it: it["features"]["founded"].update(part="x"),
            "part: x",
            "features.founded.part: no such key; "
            "there is 'meaning', 'unit', 'from', 'dataset', 'column', 'kind', 'by', 'within'",
        ),
        (
            lambda it: it["features"].update(
                f={"from": "function", "function": "f", "kind": "number", "inpts": 1}
            ),
            "inpts",
            "features.f.inpts: no such key; did you mean 'inputs'?",
        ),
        (
            lambda it: it["features"].update(
                f={
                    "from": "function",
                    "function": "f",
                    "kind": "number",
                    "inputs": {
                        "function": {"from": "row", "column": "paid", "knd": "number", "kind": "number"}
                    },
                }
            ),
            "knd",
            "features.f.inputs.function.knd: no such key; did you mean 'kind'?",
        ),
        (lambda it: it.update(gate={"margn": 1}), "margn", "gate.margn: no such key; did you mean 'margin'?"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(
    faults: Callable[..., list[str]], settings: Settings, edit: Edit, line: str, said: str
) -> None:
    found = faults(edit, functions="def f(): ...\n")
    assert found == [f"project.yaml:{line_of(settings.projects / 'trips', line)}: {said}"]


@pytest.mark.parametrize(
    ("edit", "line", "said"),
    [
        (lambda it: it.pop("outcome"), "name", "outcome: is missing"),
        (lambda it: it["decision"].pop("lead"), "decision", "decision.lead: is missing"),
        (lambda it: it["features"]["hour"].pop("part"), "hour", "features.hour.part: is missing"),
        (
            lambda it: it["datasets"]["trips"]["source"].pop("kind"),
            "source",
            "datasets.trips.source.kind: is missing; there is 'delta', 'files', 'package', 'sql'",
        ),
        (
            lambda it: it["features"]["hour"].pop("from"),
            "hour",
            "features.hour.from: is missing; there is 'expression', 'function', 'lag', 'lookup', "
            "'retrieval', 'row', 'target_rate', 'time', 'trailing'",
        ),
    ],
)
def test_a_missing_key_is_named(
    faults: Callable[..., list[str]], settings: Settings, edit: Edit, line: str, said: str
) -> None:
    assert faults(edit) == [f"project.yaml:{line_of(settings.projects / 'trips', line)}: {said}"]


# -- values


def value(*keys: str | int, to: Any) -> Edit:
    """An edit that puts a value under these keys."""

    def edit(document: Document) -> None:
        held: Any = document
        for key in keys[:-1]:
            held = held.setdefault(key, {}) if isinstance(held, dict) else held[key]
        held[keys[-1]] = to

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (value("title", to=3), "title: should be text, not 3"),
        (value("training", "seed", to="3"), 'training.seed: should be a whole number, not "3"'),
        (value("training", "seed", to=True), "training.seed: should be a whole number, not true"),
        (value("gate", "margin", to="low"), 'gate.margin: should be a number, not "low"'),
        (value("quarantine", "max_share", to=1.5), "quarantine.max_share: should be at most 1, not 1.5"),
        (value("training", "holdout", to=0), "training.holdout: should be more than 0, not 0"),
        (value("training", "window", to="0d"), "training.window: should be longer than nothing"),
        (value("training", "families", to="linear"), 'training.families: should be a list, not "linear"'),
        (value("features", to=["city"]), "features: should be keys with values, not a list"),
        (value("features", to=None), "features: should be keys with values, not empty"),
        (value("gate", to="strict"), 'gate: should be keys with values, not "strict"'),
        (value("datasets", "trips", "key", to=[]), "datasets.trips.key: is empty"),
        (value("datasets", "trips", "key", to=["id", 3]), "datasets.trips.key.1: should be text, not 3"),
        (value("batches", "start", to="yesterday"), "batches.start: should be a date such as 2013-01-31"),
        (value("batches", "end", to="2013-02-30"), "batches.end: should be a date such as 2013-01-31"),
        (value("batches", "end", to="2013-03-09"), "batches: end 2013-03-09 must be after start 2013-03-09"),
        (value("batches", "every", to="1m"), "batches.every: is \"1m\"; did you mean '1mo'?"),
        (value("problem", to="binry"), "problem: is \"binry\"; did you mean 'binary'?"),
        (
            value("datasets", "trips", "columns", "id", to="int"),
            "datasets.trips.columns.id: is \"int\"; did you mean 'integer'?",
        ),
        (value("datasets", "trips", "columns", "id", to="number"), "there is 'integer', 'float', 'string'"),
        (
            value("features", "city", "from", to="rows"),
            "features.city.from: is \"rows\"; did you mean 'row'?",
        ),
        (value("datasets", "trips", "source", "kind", to="http"), "is \"http\"; there is 'delta',"),
        (value("decision", "lead", to="2 hours"), "decision.lead: '2 hours' is no duration: write a whole"),
        (
            value("decision", "lead", to=7200),
            "decision.lead: '7200' is no duration: write a whole number and",
        ),
        (
            value("batches", "timezone", to="America/NewYork"),
            "batches.timezone: no time zone 'America/NewYork'; did you mean 'America/New_York'?",
        ),
        (value("features", "hour", "timezone", to="../x"), "features.hour.timezone: no time zone '../x'"),
        (value("name", to="Trips 2"), "name: should be a name of lower-case letters, digits and _"),
        (
            value("training", "parameters", to={"linear": {"c": [0.5]}}),
            "training.parameters.linear.c: should be a number or",
        ),
        (
            value("training", "tuning", "space", "lightgbm", "num_leaves", to={"low": 9, "high": 3}),
            "training.tuning.space.lightgbm.num_leaves: low 9 should be below high 3",
        ),
        (
            value(
                "training", "tuning", "space", "lightgbm", "lambda_l2", to={"low": 0, "high": 3, "log": True}
            ),
            "training.tuning.space.lightgbm.lambda_l2: low 0 should be above 0 on a log scale",
        ),
        (
            value("training", "tuning", "space", "lightgbm", "max_bin", to={"low": 9}),
            "training.tuning.space.lightgbm.max_bin: should have low and high, or choices",
        ),
        (
            value("training", "tuning", "space", "lightgbm", "max_bin", to={"low": 9, "choices": [63, 255]}),
            "training.tuning.space.lightgbm.max_bin: has choices: leave out low, high and log",
        ),
        (
            value("training", "tuning", "space", "lightgmb", "max_bin", to={"low": 9, "high": 99}),
            "training.tuning.space.lightgmb: no family 'lightgmb' is tuned; did you mean 'lightgbm'?",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_right(
    faults: Callable[..., list[str]], edit: Edit, said: str
) -> None:
    found = faults(edit)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("project.yaml:")


def test_every_problem_is_named_at_once(faults: Callable[..., list[str]]) -> None:
    def edit(document: Document) -> None:
        document["problm"] = document.pop("problem")
        document["decision"]["lead"] = "soon"
        document["features"]["hour"]["part"] = "hours"

    places = [each.split(": ")[1] for each in faults(edit)]
    assert sorted(places) == ["decision.lead", "features.hour.part", "problm"]


# -- YAML


def test_a_key_that_is_there_twice_is_an_error_beside_the_others(
    write_trips: WriteTrips, faults: Callable[..., list[str]]
) -> None:
    text = (write_trips() / "project.yaml").read_text()
    twice = text.replace("title: Trips\n", "title: Trips\ntitle: Tours\n").replace(
        "lead: 1h", "lead: x\n  lead: y"
    )
    found = faults(text=twice)
    assert [each.split(": ", 1)[1] for each in found[:2]] == [
        "title: is there twice, first on line 2",
        f"lead: is there twice, first on line {twice.splitlines().index('  lead: x') + 1}",
    ]
    assert "'y' is no duration" in found[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "project.yaml:1: the file is empty"),
        ("name: [trips", "project.yaml:1: is no valid YAML"),
        ("name: trips\n\ttitle: x", "project.yaml:2: is no valid YAML: found character '\\t'"),
        ("name: trips\ntitle: a: b", "project.yaml:2: is no valid YAML: mapping values are not allowed here"),
        ("- name", "project.yaml:1: should be keys with values, not a list"),
        ("name", 'project.yaml:1: should be keys with values, not "name"'),
        ("name: &a [*a]", "project.yaml:1: is no valid YAML: found unconstructable recursive node"),
        ("[" * 1000, "project.yaml: is nested too deep"),
        ("name: \x00", "project.yaml: is no valid YAML: unacceptable character #x0000"),
        ("? [a]\n: b", "project.yaml:1: is no valid YAML: found unhashable key"),
        ("name: !!python/object:os.system x", "project.yaml:1: is no valid YAML: could not determine"),
    ],
)
def test_bad_yaml_is_an_error_with_its_line(
    write_trips: WriteTrips, settings: Settings, text: str, said: str
) -> None:
    folder = write_trips(text=text or " ")
    with pytest.raises(SpecError) as caught:
        load("trips", settings)
    assert str(caught.value).removeprefix(f"{folder}/").startswith(said)


def test_a_spec_that_is_not_utf8_is_an_error(write_trips: WriteTrips, settings: Settings) -> None:
    (write_trips() / "project.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(SpecError, match=r"project\.yaml: is not UTF-8"):
        load("trips", settings)


# -- references


def rename_column(document: Document) -> None:
    document["datasets"]["trips"]["columns"]["town"] = document["datasets"]["trips"]["columns"].pop("city")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (value("events", to="trip"), "events: no dataset 'trip'; did you mean 'trips'?"),
        (
            value("features", "founded", "dataset", to="citys"),
            "features.founded.dataset: no dataset 'citys'; did you mean 'cities'?",
        ),
        (
            value("features", "founded", "within", to="1d"),
            "features.founded.within: needs a dataset with `known_at`, and 'cities' has none",
        ),
        (
            value("features", "late_7d", "known_at", to="at"),
            "features.late_7d.value: 'late' is known at 'seen', and not at 'at'",
        ),
        (value("datasets", "trips", "prepare", to="tidy"), "prepare: functions.py has no function 'tidy'"),
        (
            value("features", "f", to={"from": "function", "function": "f", "kind": "number"}),
            "features.f.function: functions.py has no function 'f'",
        ),
        (
            value("datasets", "trips", "key", to=["id", "no"]),
            "key.1: dataset 'trips' delivers no column 'no'",
        ),
        (
            value("datasets", "trips", "event_time", to="att"),
            "'att', and has no `prepare` to add it; did you",
        ),
        (
            value("datasets", "trips", "known_at", to="x"),
            "datasets.trips.known_at: dataset 'trips' delivers no",
        ),
        (value("decision", "before", to="x"), "decision.before: dataset 'trips' delivers no column 'x'"),
        (value("outcome", "label", to="lat"), "outcome.label: dataset 'trips' delivers no column 'lat'"),
        (value("outcome", "known_at", to="x"), "outcome.known_at: dataset 'trips' delivers no column 'x'"),
        (value("features", "city", "column", to="x"), "features.city.column: dataset 'trips' delivers no"),
        (value("features", "hour", "column", to="x"), "features.hour.column: dataset 'trips' delivers no"),
        (
            value("features", "founded", "column", to="x"),
            "features.founded.column: dataset 'cities' delivers",
        ),
        (
            value("features", "founded", "by", to={"x": "city"}),
            "by.x: dataset 'trips' delivers no column 'x'",
        ),
        (
            value("features", "founded", "by", to={"city": "y"}),
            "by.city: dataset 'cities' delivers no column",
        ),
        (value("features", "late_7d", "by", to=["x"]), "features.late_7d.by.0: dataset 'trips' delivers no"),
        (value("features", "late_7d", "by", to=[]), "features.late_7d.by: names no column"),
        (
            value("features", "late_7d", "value", to="x"),
            "features.late_7d.value: dataset 'trips' delivers no",
        ),
        (value("features", "late_7d", "known_at", to="x"), "features.late_7d.known_at: dataset 'trips'"),
        (
            value("gate", "slices", to=["citi"]),
            "gate.slices.0: no feature or key 'citi'; did you mean 'city'",
        ),
        (value("datasets", "trips", "event_time", to="city"), "'city' of 'trips' is delivered as string: it"),
        (
            value("outcome", "label", to="paid"),
            "'paid' of 'trips' is delivered as float: it should be a boolean",
        ),
        (
            value("datasets", "trips", "columns", "row", to="integer"),
            "columns.row: is a column of the lake's",
        ),
        (
            value("datasets", "cities", "source", "path", to="{batch}.csv"),
            "source: comes in batches: it needs",
        ),
        (value("name", to="tripp"), "name: should be that of its folder, 'trips', not 'tripp'"),
    ],
)
def test_a_name_of_what_is_not_there_is_an_error(
    faults: Callable[..., list[str]], edit: Edit, said: str
) -> None:
    found = faults(edit)
    assert len(found) == 1
    assert said in found[0]
    assert int(found[0].split(":")[1]) > 1 or "name" in found[0]


def test_a_column_that_an_input_of_a_function_misses_is_an_error(faults: Callable[..., list[str]]) -> None:
    made = {"from": "function", "function": "f", "kind": "number"}
    inputs = {"spent": {"from": "row", "column": "pay", "kind": "number"}}
    found = faults(value("features", "f", to=made | {"inputs": inputs}), functions="def f(): ...\n")
    assert len(found) == 1
    assert "features.f.inputs.spent.column: dataset 'trips' delivers no column 'pay'" in found[0]


def test_events_without_event_time_are_an_error(faults: Callable[..., list[str]]) -> None:
    assert "event_time: is missing" in faults(lambda it: it["datasets"]["trips"].pop("event_time"))[0]


def test_all_that_misses_a_column_is_named_at_once(faults: Callable[..., list[str]]) -> None:
    places = [each.split(": ")[1] for each in faults(rename_column)]
    assert places == ["features.city.column", "features.founded.by.city", "features.late_7d.by.0"]


def test_what_prepare_adds_is_not_missed(make_trips: MakeTrips) -> None:
    def edit(document: Document) -> None:
        rename_column(document)
        document["datasets"]["trips"]["prepare"] = "tidy"

    assert (
        make_trips(edit, functions="def tidy(frame, tables): ...\n").spec.datasets["trips"].prepare == "tidy"
    )


# -- functions.py


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:\n    pass\n", "functions.py:1: is no valid Python: invalid syntax"),
        ("x = 1\n  y = 2\n", "functions.py:2: is no valid Python: unexpected indent"),
        ("import os\nimport no_such_module\n", "functions.py:2: ModuleNotFoundError: No module named"),
        ("from polars import nothing\n", "functions.py:1: ImportError: cannot import name 'nothing'"),
        ("def f():\n    return 1 / 0\n\nf()\n", "functions.py:2: ZeroDivisionError: division by zero"),
        ("x = 'caf\0'\n", "functions.py:"),
    ],
)
def test_functions_that_cannot_be_imported_are_an_error_with_its_line(
    faults: Callable[..., list[str]], code: str, said: str
) -> None:
    found = faults(functions=code)
    assert len(found) == 1
    assert found[0].startswith(said)


# -- the folder


def test_a_project_that_is_missing_is_an_error_that_names_those_there_are(
    make_trips: MakeTrips, settings: Settings
) -> None:
    with pytest.raises(SpecError, match=r"no project 'trips': .* is missing; there is none in .*projects"):
        load("trips", settings)
    make_trips()
    with pytest.raises(SpecError, match="; did you mean 'trips'"):
        load("trip", settings)
    with pytest.raises(SpecError, match="; there is 'trips'"):
        load("flights", settings)
    with pytest.raises(SpecError, match="no project"):
        load("../projects/trips", settings)


def test_the_projects_of_this_repository_load() -> None:
    for name in names(Settings()):
        assert load(name, Settings()).spec.title
