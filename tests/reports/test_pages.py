"""Pages are whole, and what they are given cannot break out of its place."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from reports.pages import render, size, write


def test_a_write_that_fails_leaves_the_old_page_and_no_draft(tmp_path: Path) -> None:
    page = write(tmp_path / "deep" / "index.html", "first")
    with pytest.raises(UnicodeEncodeError):
        write(page, "half a page \ud800")
    assert page.read_text() == "first"
    assert list(page.parent.iterdir()) == [page]
    assert write(page, "søcond").read_text(encoding="utf-8") == "søcond"


def test_a_page_can_be_read_by_others(tmp_path: Path) -> None:
    assert write(tmp_path / "index.html", "").stat().st_mode & 0o777 == 0o644


def test_a_value_that_the_template_misses_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("lifecycle.html", project="flights")


@pytest.mark.parametrize(
    ("given", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_400, "999 kB"), (1_000_000, "1.0 MB")],
)
def test_sizes_are_in_the_unit_that_reads_best(given: int, told: str) -> None:
    assert size(given) == told
