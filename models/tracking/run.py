"""Tracking of fits: recorded on the disk, sent when asked for, and never in a fit's way."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from models.tracking import client, uploads
from models.tracking.charts import Chart
from models.tracking.files import Artifact

_log = logging.getLogger(__name__)

FINISH_SECONDS = 30


@dataclass(slots=True)
class Run:
    """One tracked fit; none of its methods raises.

    Whatever goes wrong in the tracker is logged as a warning, once a kind, and the fit goes on: the
    registry is the truth, W&B its mirror.
    """

    _run: Any
    _sending: Any = None
    _faults: set[str] = field(default_factory=set)

    @property
    def folder(self) -> str:
        """Where the run lies; "" when nothing is tracked."""
        return "" if self._run is None else str(client.folder(self._run))

    @property
    def id(self) -> str:
        """What W&B knows the run by; "" when nothing is tracked."""
        return "" if self._run is None else str(self._run.id)

    @property
    def record(self) -> Path:
        """The file that W&B reads a run from."""
        return Path(self.folder) / f"run-{self.id}.wandb"

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curves; steps must not go back."""
        self._try("curve", lambda run: client.log_point(run, step, values))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Set the run's results, such as measures by part of the rows."""
        self._try("summary", lambda run: client.set_summary(run, values))

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a table, if it has rows; a column is what any of them has."""
        if rows:
            self._try("table", lambda run: client.log_table(run, name, rows))

    def chart(self, name: str, chart: Chart) -> None:
        """Add a chart."""
        self._try("chart", lambda run: client.log_chart(run, name, chart))

    def made(self, artifact: Artifact) -> None:
        """Add what came of the run, such as a model; its files must not change any more."""
        self._try("artifact", lambda run: client.log_artifact(run, artifact, used=False))

    def used(self, artifact: Artifact) -> None:
        """Add what the run was made from, such as a data set."""
        self._try("artifact", lambda run: client.log_artifact(run, artifact, used=True))

    def finish(self, exit_code: int) -> None:
        """End the run, 0 for success, and wait for the rest of it to be sent while a server answers."""
        self._try("finish", lambda run: client.finish(run, exit_code))
        self._try("rest, `make wandb-sync` sends it later", lambda _: self._settle())

    def _settle(self) -> None:
        if self._sending is None:
            uploads.grew(self.record)
            return
        seconds = FINISH_SECONDS if uploads.answers(client.address()) else 0
        outcome = uploads.settled(self.record, self._sending, seconds)
        if outcome.state != "sent":
            _log.warning("%s was not sent (%s): `make wandb-sync` sends it later", outcome.run, outcome.why)

    def follow(self) -> None:
        """Send what is recorded as it comes."""

        def begin(_: Any) -> None:
            self._sending = uploads.begin(self.record, follow=True)

        self._try("run at once, `make wandb-sync` sends it later", begin)

    def _try(self, what: str, act: Callable[[Any], object]) -> None:
        if self._run is None:
            return
        try:
            act(self._run)
        except Exception as error:
            if what not in self._faults:  # once a run, not once a step
                _log.warning("W&B could not take the %s, the fit goes on: %s", what, error)
            self._faults.add(what)


@contextmanager
def track(
    project: str, name: str, group: str, config: Mapping[str, Any], tags: Sequence[str], home: Path
) -> Iterator[Run]:
    """Track the work of a `with` block as one W&B run, whose files are under `home`/wandb.

    The run is always recorded there. It is also sent as it grows when the `mode` is `online`; it is
    neither when that is `disabled`.
    """
    facts = {"project": project, "name": name, "group": group, "tags": list(tags), "config": config}
    run = _started(home.resolve(), mode(), facts)
    if not run.folder:
        yield run
        return
    with _in_use(run):
        if mode() == "online":
            run.follow()
        try:
            yield run
        except BaseException:
            run.finish(1)
            raise
        run.finish(0)


def untracked() -> AbstractContextManager[Run]:
    """Track nothing of the work of a `with` block."""
    return nullcontext(Run(None))


def mode() -> str:
    """WANDB_MODE or, where it is not set, `online` with a WANDB_API_KEY and `offline` without."""
    return os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")


def _started(home: Path, mode: str, facts: Mapping[str, Any]) -> Run:
    if mode == "disabled":
        return Run(None)
    try:
        return Run(client.start(home, facts))
    except Exception as error:
        _log.warning("W&B cannot be used (%s): the run %s is not tracked", error, facts["name"])
        return Run(None)


@contextmanager
def _in_use(run: Run) -> Iterator[None]:
    """Keep others from sending a run before it has ended, and taking it for sent."""
    lock = uploads.in_use(run.record)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError) as error:  # someone sends what has begun; or there are no locks here
        _log.debug("%s may be sent before it has ended: %s", run.folder, error)
    try:
        yield
    finally:
        lock.release()
