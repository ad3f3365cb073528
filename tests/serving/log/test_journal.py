"""What is appended is written as it was, in time, and by no request; what cannot be is counted."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import UTC, datetime

import polars as pl
import pytest

from core.errors import IntegrityError
from serving.log.collect import collect
from serving.log.journal import Journal
from serving.log.segments import finished
from serving.log.tables import OUTCOMES, PREDICTIONS, Outcome, Prediction, schemas, served
from tests.serving.log.conftest import Log

Row = Callable[..., Prediction]
NOW = datetime(2013, 12, 31, 13, tzinfo=UTC)


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Wait for it; an error after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@pytest.fixture
def journal(log: Log) -> Iterator[Journal]:
    journal = Journal(log.folder, log.schemas)
    yield journal
    journal.close()


def test_rows_are_logged_as_they_were(log: Log, journal: Journal, row: Row) -> None:
    sent = {"origin": "EWR", "at": NOW, "gate": None, "note": 'say "ü"', "bad": float("nan")}
    journal.append(PREDICTIONS, [row(1, input=sent, key="EWR/7"), row(2, input='{"as": "text"}')])
    journal.append(PREDICTIONS, [row(3, prediction=None, error="timeout")])
    journal.append(OUTCOMES, [Outcome("1", None, True, NOW, NOW), Outcome(None, "EWR/7", False, NOW, NOW)])
    journal.close()
    assert log.collect().rows == 5
    rows = served(log.lake, PREDICTIONS, log.schemas[PREDICTIONS]).sort("request_id").collect()
    assert rows.schema == log.schemas[PREDICTIONS]
    logged = [Prediction(*values) for values in rows.iter_rows()]
    assert json.loads(str(logged[0].input)) == {**sent, "at": "2013-12-31T13:00:00Z", "bad": None}
    assert [each._replace(input="", features="") for each in logged] == [
        row(1, key="EWR/7", input="", features=""),
        row(2, input="", features=""),
        row(3, prediction=None, error="timeout", input="", features=""),
    ]
    assert logged[1].input == '{"as": "text"}'
    outcomes = served(log.lake, OUTCOMES, log.schemas[OUTCOMES]).collect()
    assert outcomes["label"].to_list() == [True, False]


def test_a_wide_problem_logs_all_its_numbers(log: Log, row: Row) -> None:
    wide = schemas(pl.String(), wide=True)
    journal = Journal(log.folder, wide)
    journal.append(PREDICTIONS, [row(1, prediction=[0.25, 0.75]), row(2, prediction=None)])
    journal.close()
    collect(log.folder, log.lake, wide)
    rows = served(log.lake, PREDICTIONS, wide[PREDICTIONS]).collect()
    assert rows["prediction"].to_list() == [[0.25, 0.75], None]


def test_what_is_appended_is_written_without_another_word(journal: Journal, row: Row) -> None:
    begun = time.monotonic()
    journal.append(PREDICTIONS, [row(1)])
    assert journal.facts().waiting == 1
    until(lambda: journal.facts().written == 1)
    assert time.monotonic() - begun < 1
    assert (journal.facts().waiting, journal.facts().failure) == (0, None)


def test_durable_rows_do_not_wait_for_the_interval(log: Log, row: Row) -> None:
    journal = Journal(log.folder, log.schemas, interval=3600)
    answers = [journal.durable(PREDICTIONS, [row(number)]) for number in range(200)]
    answers.append(journal.durable(OUTCOMES, []))
    wait(answers, timeout=20)
    assert all(answer.result(0) for answer in answers)
    assert journal.facts().written == 200
    journal.close()
    log.collect()
    assert log.numbers() == list(range(200))


def test_an_answer_that_nobody_waits_for_harms_nobody(journal: Journal, row: Row) -> None:
    for number in range(50):
        journal.durable(PREDICTIONS, [row(number)]).cancel()
    assert journal.durable(PREDICTIONS, [row(50)]).result(20)


def test_rows_that_no_table_can_hold_cost_no_other(log: Log, journal: Journal, row: Row) -> None:
    for number in range(100):
        journal.append(PREDICTIONS, [row(number)])
    no_bytes = [row(1, input=object()), row(1, at=None, input={1: {2j}})]
    no_row = [row(1, prediction="high"), row(1)[:-1]]
    for each in (*no_bytes, *no_row):
        journal.append(PREDICTIONS, [row(100), each])
    asked = [journal.durable(PREDICTIONS, [each]) for each in (row(101), no_bytes[0], row(102))]
    assert [answer.result(20) for answer in asked] == [True, False, True]
    until(lambda: journal.facts().waiting == 0)
    assert (journal.facts().written, journal.facts().unfit) == (108, 3)
    journal.close()
    (told,) = log.collect().faults
    assert "2 rows of" in told and "values that it cannot hold" in told
    assert log.numbers() == sorted([*range(100), *[100] * 4, 101, 102])


def test_bulk_is_logged_and_a_full_segment_can_be_collected_while_the_journal_lives(
    log: Log, journal: Journal, row: Row
) -> None:
    rows = [row(number, input="{}", features="{}") for number in range(70_000)]
    many = pl.DataFrame(rows, log.schemas[PREDICTIONS], orient="row")
    journal.append_frame(PREDICTIONS, many)
    until(lambda: finished(log.folder / PREDICTIONS))
    journal.append(PREDICTIONS, [row(70_000)])
    until(lambda: journal.facts().waiting == 0)
    assert log.collect().rows == 70_000
    journal.close()
    assert log.collect().rows == 1
    assert log.numbers() == list(range(70_001))
    with pytest.raises(IntegrityError, match="were to be logged; right is Schema"):
        journal.append_frame(PREDICTIONS, many.drop("error"))


def test_bulk_is_written_at_once_however_much_comes_in(log: Log, row: Row) -> None:
    """More than what may wait, within an interval, on a disk that takes it: nothing of it is dropped."""
    journal = Journal(log.folder, log.schemas, interval=3600)
    rows = [row(number, input="{}", features="{}") for number in range(50_000)]
    many = pl.DataFrame(rows, log.schemas[PREDICTIONS], orient="row")
    for _ in range(8):
        journal.append_frame(PREDICTIONS, many)
        until(lambda: journal.facts().waiting < 150_000)
    until(lambda: journal.facts().waiting == 0)
    assert (journal.facts().written, journal.facts().dropped) == (400_000, 0)
    journal.close()


def test_a_closed_journal_takes_nothing_more(log: Log, journal: Journal, row: Row) -> None:
    journal.append(PREDICTIONS, [row(1)])
    journal.close()
    assert journal.durable(PREDICTIONS, [row(2)]).result(0) is False
    journal.append(PREDICTIONS, [row(3)])
    journal.close()
    log.collect()
    assert log.numbers() == [1]


def test_a_folder_that_is_taken_away_or_was_never_possible_is_said(log: Log, row: Row) -> None:
    log.folder.parent.mkdir(exist_ok=True)
    log.folder.write_text("a file")
    journal = Journal(log.folder, log.schemas)
    assert journal.durable(PREDICTIONS, [row(1)]).result(20) is False
    assert "journal/served/predictions cannot be written to" in str(journal.facts().failure)
    log.folder.unlink()
    assert journal.durable(PREDICTIONS, [row(2)]).result(20) is True
    assert journal.facts().failure is None
    journal.close()
    log.collect()
    assert log.numbers() == [2]
