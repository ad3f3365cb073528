"""Together: what came in the same turn of the loop is answered in one run of the graph."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polars.exceptions import PanicException

from models.runtime.model import FEW
from serving.answering.answers import Answers, answer
from serving.answering.featurise import Known
from serving.answering.loaded import InForce

_ANY = (Exception, PanicException)  # whatever it is, it is for who waits


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows that wait for the end of the turn, and who waits for their answers."""

    in_force: InForce
    known: Sequence[Known]
    answers: asyncio.Future[Answers]


class Together:
    """Answers requests of a few rows, those of one turn of the loop together: a run of the graph costs more
    than a row of it. What fails together is answered apart, so that no request fails by another's rows.

    Whether others come in the same turn is known at its end. A request does not wait for that where nobody
    else has come in the turns before: in the more of them, the more there were.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._came, self._crowd = 0, 0

    async def answer(self, in_force: InForce, known: Sequence[Known]) -> Answers:
        """What `answers.answer` gives, and raises."""
        loop = asyncio.get_running_loop()
        if not self._came:
            loop.call_soon(self._end_turn)
        self._came += 1
        if self._crowd < 2:
            return answer(in_force, known)
        waiting = _Waiting(in_force, known, loop.create_future())
        self._waiting.append(waiting)
        return await waiting.answers

    def _end_turn(self) -> None:
        self._crowd, self._came = max(self._came, self._crowd // 2), 0
        waiting, self._waiting = self._waiting, []
        for part in _parts(waiting):
            if len(part) == 1 or not _answered_together(part):
                for each in part:
                    _answer_apart(each)


def _parts(waiting: Sequence[_Waiting]) -> Iterator[list[_Waiting]]:
    """As many as one run takes, by the same release; of free texts each apart."""
    part, rows = list[_Waiting](), 0
    for each in waiting:
        if part and not (_are_alike(each, part[0]) and rows + len(each.known) <= FEW):
            yield part
            part, rows = [], 0
        part.append(each)
        rows += len(each.known)
    if part:
        yield part


def _are_alike(one: _Waiting, other: _Waiting) -> bool:
    return one.in_force is other.in_force and not one.in_force.reads_texts


def _answered_together(part: Sequence[_Waiting]) -> bool:
    """Whether all are answered, which they are not where any version has failed at any row."""
    try:
        done, failed = answer(part[0].in_force, [row for each in part for row in each.known])
    except _ANY:
        return False
    if failed:
        return False
    answers = iter(done)
    for each in part:
        _tell(each, ([next(answers) for _ in each.known], []))
    return True


def _answer_apart(waiting: _Waiting) -> None:
    try:
        _tell(waiting, answer(waiting.in_force, waiting.known))
    except _ANY as error:
        if not waiting.answers.done():
            waiting.answers.set_exception(error)


def _tell(waiting: _Waiting, answers: Answers) -> None:
    if not waiting.answers.done():  # it is where nobody waits any more
        waiting.answers.set_result(answers)
