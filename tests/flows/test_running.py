"""What a command works on, and what it leaves to be said in its last line."""

import argparse
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from core.errors import PerennialError, SpecError
from core.settings import Settings
from flows import __main__ as command
from flows.running import _is_news, at_batch


@pytest.fixture
def settings(make_project: Callable[..., Settings]) -> Settings:
    return make_project(range(1, 4), share=500)


def asked(batch: str | None, as_of: datetime) -> argparse.Namespace:
    return argparse.Namespace(project="flights", batch=batch, as_of=as_of)


def test_a_batch_is_judged_once_its_outcomes_are_in(settings: Settings) -> None:
    march = datetime(2013, 3, 2, tzinfo=UTC)  # February is over; its outcomes are in two days later
    assert at_batch(settings, asked(None, march), with_outcomes=False)[1].id == "2013-02"
    assert at_batch(settings, asked(None, march), with_outcomes=True)[1].id == "2013-01"
    with pytest.raises(SpecError, match="the outcomes of batch 2013-02 are in at 2013-03-03"):
        at_batch(settings, asked("2013-02", march), with_outcomes=True)
    with pytest.raises(SpecError, match="batch 2013-03 ends at"):
        at_batch(settings, asked("2013-03", march), with_outcomes=False)
    with pytest.raises(SpecError, match="no batch of flights is over"):
        at_batch(settings, asked(None, datetime(2013, 1, 5, tzinfo=UTC)), with_outcomes=False)


@pytest.mark.parametrize(
    ("error", "news"), [(PerennialError("x"), False), (OSError("x"), False), (KeyError("x"), True)]
)
def test_what_the_last_line_says_is_not_logged_with_its_stack_trace(error: Exception, news: bool) -> None:
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "x", None, (type(error), error, None))
    assert _is_news(record) is news


def test_a_home_that_cannot_be_one_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERENNIAL_HOME", __file__)
    monkeypatch.setattr("sys.argv", ["flows", "status"])
    assert command.main() == 1
    assert capsys.readouterr().err.startswith("error: FileExistsError: ")
