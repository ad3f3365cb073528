"""All that is asked of W&B: the only file that imports it, and only once a run is tracked.

A run is always recorded offline; W&B's own sync sends the record, while the run grows or later.
So nothing that becomes of a server can hold a fit up, or lose what was recorded.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import PerennialError
from core.plain import plain
from models.tracking.charts import Bars, Chart, Lines, cells
from models.tracking.files import Artifact, kept

ANSWER_SECONDS = 30  # of W&B's own process, not of a server; it is slow on a busy machine
RETRIES = 2  # W&B takes 0 for its own choice, which is thousands
REQUEST_SECONDS = 30

_ENVIRONMENT = threading.RLock()


def settle(home: Path) -> None:
    """Say where W&B's files go and that it keeps silent, which also keeps it from prompting.

    It reads this from the environment only, also in the service process that it starts.
    """
    with _ENVIRONMENT:
        for name, value in list(os.environ.items()):
            if name.startswith("WANDB_") and not value:
                del os.environ[name]  # as if it were not set: W&B would take it for a wrong value
        os.environ |= {
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",  # or else it calls home, offline too
            "WANDB_DIR": str(home),
            "WANDB_CACHE_DIR": str(home / "wandb" / "cache"),
            "WANDB_DATA_DIR": str(home / "wandb" / "data"),
            "WANDB_CONFIG_DIR": str(home / "wandb" / "config"),
            "WANDB_ARTIFACT_DIR": str(home / "wandb" / "artifacts"),
        }
    (home / "wandb").mkdir(parents=True, exist_ok=True)


def start(home: Path, facts: Mapping[str, Any]) -> Any:
    """Begin a run on the disk; whatever W&B raises when it cannot."""
    settle(home)
    import wandb

    settings = wandb.Settings(
        console="off",
        root_dir=str(home),
        reinit="create_new",  # or else a second fit in this process would write into the first one's run
        symlink=False,  # fits run side by side: there is no latest run
        x_transaction_log_flush_interval=1,  # what a killed fit loses, in seconds
        # The lineage tells code and packages; W&B takes a quarter of a second a run to find them out.
        disable_git=True,
        disable_code=True,
        save_code=False,
        x_save_requirements=False,
    )
    with _ENVIRONMENT:
        return wandb.init(mode="offline", settings=settings, **plain(facts))


def log_point(run: Any, step: int, values: Mapping[str, float]) -> None:
    """Add a point to the curves."""
    run.log(plain(values), step=step)


def set_summary(run: Any, values: Mapping[str, Any]) -> None:
    """Set results."""
    run.summary.update(plain(values))


def log_table(run: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add a table of rows."""
    with _staged_in(run) as wandb:
        run.log({name: wandb.Table(*cells(rows))})


def log_chart(run: Any, name: str, chart: Chart) -> None:
    """Add a chart that the W&B app draws from a table of its own, `name`_table."""
    with _staged_in(run) as wandb:
        run.log({name: _drawn(wandb, chart)})


def log_artifact(run: Any, artifact: Artifact, *, used: bool) -> None:
    """Add what the run made, or `used`: W&B links the two once the record is sent."""
    with _staged_in(run) as wandb:
        made = wandb.Artifact(artifact.safe_name, artifact.kind, metadata=plain(artifact.metadata))
        for title, path in artifact.files.items():
            # The copy is ours and nobody changes it: W&B need not copy it once more, nor keep it.
            copy = kept(path, folder(run), artifact.safe_name, title)
            made.add_file(str(copy), name=title, policy="immutable", skip_cache=True)
        for title, text in artifact.texts.items():
            with made.new_file(title) as file:
                file.write(text)
        for title, address in artifact.references.items():
            made.add_reference(address, name=title, checksum=False)
        # `use_artifact` asks the server; this one is told to when the record is sent.
        run._log_artifact(made, is_user_created=used, use_after_commit=used)


def finish(run: Any, exit_code: int) -> None:
    """End a run, with the end of its record on the disk."""
    from wandb.sdk import wandb_setup

    run.finish(exit_code=exit_code)
    setup = wandb_setup.singleton()
    service = setup.ensure_service()

    async def answered() -> None:
        # W&B does not wait for its own process to write the end, which answers in order.
        await (await service.sync_status("")).wait_async(timeout=ANSWER_SECONDS)

    setup.asyncer.run(answered)


def folder(run: Any) -> Path:
    """Where all of a run lies."""
    return Path(run.dir).parent


def address() -> str:
    """Where the server is, by WANDB_BASE_URL."""
    return str(_settings().base_url)


def app_address() -> str:
    """Where people look at what the server has."""
    return str(_settings().app_url).rstrip("/")


def api() -> Any:
    """What asks the server anything, which has found the key to be good; a request takes 19 s at most."""
    import wandb

    return wandb.Api()


def entity() -> str:
    """Whose runs these are on the server: WANDB_ENTITY's or, without it, those of the key's owner.

    PerennialError when the server names none.
    """
    asked = api()
    if found := asked.settings["entity"] or asked.default_entity:
        return str(found)
    raise PerennialError("the owner of WANDB_API_KEY has no default entity: set WANDB_ENTITY to one")


def send(record: Path, *, follow: bool) -> Any:
    """Begin to send a run's record to the server, by W&B's own sync; `wait` for what comes of it.

    With `follow` it waits for more until the record has its end, and tries for as long as that takes;
    without, it gives up on a server that does not take it. Its log is in `wandb/logs` beside the record.
    """
    from wandb.sdk import wandb_setup

    settings = _settings()
    settings.root_dir = str(record.parent)
    if not follow:
        for part in ("graphql", "file_stream", "file_transfer"):
            setattr(settings, f"x_{part}_retry_max", RETRIES)
        settings.x_file_stream_timeout_seconds = REQUEST_SECONDS
    setup = wandb_setup.singleton()
    service = setup.ensure_service()

    async def begin() -> Any:
        as_recorded = dict.fromkeys(("entity", "project", "run_id", "job_type"), "")
        opened = await service.init_sync(
            {record}, settings, cwd=None, live=follow, tag_replacements={}, **as_recorded
        )
        return await service.sync((await opened.wait_async(timeout=ANSWER_SECONDS)).id, parallelism=1)

    return setup.asyncer.run(begin)


def wait(sending: Any, seconds: float | None) -> None:
    """Wait until a record was sent, or given up; TimeoutError after `seconds`, and it is given up."""
    sending.wait_or(timeout=seconds)


@contextmanager
def _staged_in(run: Any) -> Iterator[Any]:
    """Let W&B put what is to be sent later into the run's own folder, not into one for all runs.

    It asks the environment for the place, each time.
    """
    import wandb

    with _ENVIRONMENT:
        before = os.environ["WANDB_DATA_DIR"]
        os.environ["WANDB_DATA_DIR"] = str(folder(run))
        try:
            yield wandb
        finally:
            os.environ["WANDB_DATA_DIR"] = before


def _settings() -> Any:
    """What the environment says of the server; W&B's sync sends whatever WANDB_MODE is."""
    import wandb

    settings = wandb.Settings()
    try:
        settings.update_from_env_vars(dict(os.environ))
    except ValidationError as error:  # its own text shows the value, which may be a key
        fault = error.errors(include_input=False)[0]
        raise PerennialError(f"WANDB_{str(fault['loc'][0]).upper()}: {fault['msg']}") from None
    return settings


def _drawn(wandb: Any, chart: Chart) -> Any:
    if isinstance(chart, Lines):
        across, up = zip(*chart.lines.values(), strict=True)
        values = [plain(list(each)) for each in across], [plain(list(each)) for each in up]
        return wandb.plot.line_series(*values, list(chart.lines), chart.title, chart.x)
    if isinstance(chart, Bars):
        rows = [{"name": name, "value": value} for name, value in chart.values.items()]
        return wandb.plot.bar(wandb.Table(*cells(rows)), "name", "value", chart.title)
    # `wandb.plot.confusion_matrix` counts rows itself; this is the chart that it makes of its counts.
    table = wandb.Table(*cells(chart.rows))
    fields = {name: name for name in table.columns}
    return wandb.plot_table("wandb/confusion_matrix/v1", table, fields, {"title": chart.title})
