"""What is told of the spec is what its models say: the page for people, and the schema for editors."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from core import documents, past
from core.projects import names
from core.scalars import Model
from core.settings import CHECKOUT, Settings
from core.spec import Spec
from reports.spec.page import page_text
from reports.spec.schema import schema, schema_text
from tests.core.test_salvage import JUNK, WHOLE, is_wrong, places, spoilt

DOCS = CHECKOUT / "docs"
# What a schema of single values cannot say: several keys together, a zone that there is, SQL, cron.
BEYOND = re.compile(r"batches|timezone|expression|space|statistic|value|schedules|drift_persistence")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def parts(kind: type[BaseModel] = Model) -> Iterator[type[BaseModel]]:
    """The models of the spec, which are in `core`."""
    for each in kind.__subclasses__():
        if each.__module__.startswith("core."):
            yield each
            yield from parts(each)


def test_what_is_published_is_what_make_docs_writes() -> None:
    stale = "run `make docs`"
    assert (DOCS / "spec.md").read_text(encoding="utf-8") == page_text(), stale
    assert (DOCS / "project.schema.json").read_text(encoding="utf-8") == schema_text(), stale


@pytest.mark.parametrize("kind", sorted(set(parts()), key=str), ids=lambda kind: kind.__name__)
def test_every_key_says_what_it_means(kind: type[BaseModel]) -> None:
    assert [key for key, field in kind.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("kind", sorted(set(parts()), key=str), ids=lambda kind: kind.__name__)
def test_an_example_is_right(kind: type[BaseModel]) -> None:
    examples = kind.model_json_schema().get("examples", [])
    assert examples or kind in (Spec, past.Described)
    for example in examples:
        assert kind.model_validate(example).model_fields_set


def test_the_page_has_every_key_and_default() -> None:
    page = page_text()
    for kind in parts():
        for key, field in kind.model_fields.items():
            assert f"| `{field.alias or key}` |" in page
    assert "| `gain` | number more than 0 | `0.01` | The gain that is worth a release" in page
    assert "| `block` | duration | `1d` |" in page
    assert "#### `training.parameters.lightgbm`" in page
    assert "$ref" not in page and "anyOf" not in page


@pytest.mark.parametrize("name", names(Settings()))
def test_the_spec_of_each_project_fits_the_schema(
    validator: jsonschema.Draft202012Validator, name: str
) -> None:
    document = documents.read(CHECKOUT / "projects" / name / "project.yaml")
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document.value)] == []


def putting(value: Any) -> Callable[[Any, Any], None]:
    """A change that puts a value in the place of what is there."""
    return lambda held, key: held.__setitem__(key, value)


@pytest.mark.parametrize("name", WHOLE)
def test_the_schema_refuses_what_the_models_refuse(
    validator: jsonschema.Draft202012Validator, name: str
) -> None:
    for keys in places(WHOLE[name]):
        for junk in [*JUNK, "9x", [], True]:
            document: Any = spoilt(WHOLE[name], keys, putting(junk))
            where = ".".join(map(str, keys))
            if not validator.is_valid(document):
                # Which families there are, the models of the spec leave to `make check`.
                assert is_wrong(document) or where.startswith("training"), (where, junk)
            elif not BEYOND.search(where):
                assert not is_wrong(document), (where, junk)


@pytest.mark.parametrize("value", ["2 hours", "1mo", "0d", 7200, "-1d"])
def test_a_duration_is_refused_as_the_models_do(
    validator: jsonschema.Draft202012Validator, value: Any
) -> None:
    document = spoilt(WHOLE["binary"], ("features", "late_7d", "over"), putting(value))
    assert is_wrong(document)
    assert not validator.is_valid(document)


def test_an_unknown_key_a_missing_one_and_a_wrong_family_are_refused(
    validator: jsonschema.Draft202012Validator,
) -> None:
    def spoil(keys: tuple[str, ...], value: Any = None) -> Any:
        def change(held: Any, key: Any) -> None:
            held.pop(key, None) if value is None else held.__setitem__(key, value)

        return spoilt(WHOLE["binary"], keys, change)

    assert validator.is_valid(WHOLE["binary"])
    for document in (
        spoil(("outcome", "label")),
        spoil(("gate", "margn"), 1),
        spoil(("training", "families"), ["lightgmb"]),
        spoil(("training", "parameters"), {"linear": {"strenth": 1}}),
    ):
        assert not validator.is_valid(document)
