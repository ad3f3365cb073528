"""Tracking of fits in Weights & Biases: offline unless asked otherwise, and never in a fit's way.

The only file that imports wandb, and only once a run is tracked. Whatever goes wrong in the
tracker is logged as a warning and the fit goes on: the registry is the truth, W&B its mirror.
"""

import logging
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from core.plain import plain

_log = logging.getLogger(__name__)

PROBE_SECONDS = 5
INIT_SECONDS = 8
FINISH_SECONDS = 30


@dataclass(slots=True)
class Run:
    """One tracked fit; none of its methods raises.

    When the server stops answering, W&B itself waits about 20 s before it says so. From then on
    nothing more is sent that would wait; points and results are still kept in the run's folder.
    """

    _run: Any
    online: bool = False
    _lost: bool = False
    _faults: set[str] = field(default_factory=set)

    @property
    def url_or_path(self) -> str:
        """Where to look at the run: its address when online, else its folder; "" when nothing is tracked."""
        if self._run is None or self._run.disabled:
            return ""
        return str(self._run.url) if self.online else str(Path(self._run.dir).parent)

    def curve(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curves; steps must not go back."""
        self._try("curve", lambda run: run.log(plain(values), step=step))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Set the run's results, such as measures by part of the rows."""
        self._try("summary", lambda run: run.summary.update(plain(values)))

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a table; its columns are the keys of the first row."""

        def add(run: Any) -> None:
            import wandb

            columns = list(rows[0])
            run.log(
                {name: wandb.Table(columns, [[plain(row[column]) for column in columns] for row in rows])}
            )

        if rows:
            self._try("table", add, waits=True)

    def artifact(
        self,
        name: str,
        kind: str,
        files: Mapping[str, Path],
        metadata: Mapping[str, Any],
        uses: Sequence[str] = (),
    ) -> None:
        """Add files, by the names they are to have, as an artifact of a kind such as `model`.

        `uses` names the artifacts it was made from, such as `flights-features:v3`. W&B can link
        them only when online; offline they are told in the artifact's metadata alone.
        """

        def add(run: Any) -> None:
            import wandb

            made = wandb.Artifact(_safe(name), kind, metadata=plain({**metadata, "uses": list(uses)}))
            for title, path in files.items():
                made.add_file(str(path), name=title)
            run.log_artifact(made)

        self._try("artifact", add, waits=True)
        for used in uses if self.online else ():
            self._try("link to what the artifact was made from", partial(_use, used), waits=True)

    def finish(self, exit_code: int) -> None:
        """End the run, 0 for success."""
        self._try("finish", lambda run: run.finish(exit_code=exit_code))

    def _try(self, what: str, act: Callable[[Any], object], waits: bool = False) -> None:
        if self._run is None or (waits and self._lost):
            return
        try:
            act(self._run)
        except Exception as error:
            if what not in self._faults:  # once a run, not once a step
                _log.warning("W&B could not take the %s, the fit goes on: %s", what, error)
            self._faults.add(what)
            self._lost = waits and self.online and not _answers(self._run.settings.base_url)


@contextmanager
def track(
    project: str, name: str, group: str, config: Mapping[str, Any], tags: Sequence[str], home: Path
) -> Iterator[Run]:
    """Track the work of a `with` block as one W&B run, whose files are under `home`/wandb.

    The mode is WANDB_MODE, else online when WANDB_API_KEY is set, else offline. Where the server
    cannot be reached the run is kept offline, to be sent later with `wandb sync`.
    """
    run = _start(project, name, group, config, tags, home)
    try:
        yield run
    except BaseException:
        run.finish(1)
        raise
    run.finish(0)


def _start(
    project: str, name: str, group: str, config: Mapping[str, Any], tags: Sequence[str], home: Path
) -> Run:
    wanted = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    facts = {"project": project, "name": name, "group": group, "tags": list(tags), "config": config}
    for mode in dict.fromkeys((wanted, "offline")):
        try:
            return Run(_init(home.resolve(), mode, facts), online=mode == "online")
        except Exception as error:
            kept = "not tracked" if mode == "offline" else "kept offline; send it later with `wandb sync`"
            _log.warning("W&B cannot be used %s (%s): the run %s is %s", mode, error, name, kept)
    return Run(None)


def _init(home: Path, mode: Any, facts: Mapping[str, Any]) -> Any:
    _settle(home)
    import wandb

    settings = wandb.Settings(
        console="off",
        root_dir=str(home),
        reinit="create_new",  # or else a second fit in this process would write into the first one's run
        symlink=False,  # fits run side by side: there is no latest run
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        x_transaction_log_flush_interval=1,  # what a killed fit loses, in seconds
        # The lineage tells code and packages; W&B takes a quarter of a second a run to find them out.
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_save_requirements=False,
    )
    if mode == "online" and not _answers(url := wandb.setup(settings).settings.base_url):
        raise OSError(f"{url} does not answer")
    return wandb.init(mode=mode, settings=settings, **plain(facts))


def _use(name: str, run: Any) -> None:
    run.use_artifact(name)


def _settle(home: Path) -> None:
    """Say where W&B's files go and that it keeps silent, which also keeps it from prompting.

    It reads this from the environment only, also in the service process that it starts.
    """
    os.environ |= {
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",  # or else it calls home, offline too, and exit waits for the answer
        "WANDB_DIR": str(home),
        **{f"WANDB_{part.upper()}_DIR": str(home / "wandb" / part) for part in ("cache", "data", "config")},
        "WANDB_ARTIFACT_DIR": str(home / "wandb" / "artifacts"),
    }
    (home / "wandb").mkdir(parents=True, exist_ok=True)


def _answers(url: str) -> bool:
    """Does anything answer at `url`? W&B itself would ask for all of its time to start."""
    try:
        urlopen(url, timeout=PROBE_SECONDS).close()
    except HTTPError:
        return True
    except (OSError, HTTPException) as error:
        # W&B may trust certificates that Python does not.
        return isinstance(error, URLError) and isinstance(error.reason, ssl.SSLError)
    return True


def _safe(name: str) -> str:
    """An artifact's name as W&B allows it, such as `flights-3` for `flights/3`."""
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)
