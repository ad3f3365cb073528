"""What the tasks of ingestion leave in the Prefect UI."""

import re

import pytest

from tasks.ingestion import slug


@pytest.mark.parametrize("name", ["flights", "ad_click", "2013-01-01T05+0000", "Bestellungen für Köln"])
def test_any_name_makes_a_key_that_an_artifact_may_have(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", slug(name))
