"""A project with routes, and the receivers at their ends."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from stages.workspace import Workspace, open_workspace
from tests.tasks.receivers import Receiver, mailbox, receiving

SECRET = "T0SECRET"
SLACK = f"https://hooks.slack.com/services/{SECRET}A/{SECRET}B/{SECRET * 3}"
TEAMS = (
    f"https://prod-1.logic.azure.com:443/workflows/{SECRET}/triggers/manual/paths/invoke"
    f"?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={SECRET}"
)
_NUMBERS = itertools.count()


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver on loopback, which is also what the hosts of Slack and Teams are for this process."""
    with receiving(tmp_path) as found:
        monkeypatch.setenv("HTTPS_PROXY", found.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # Prefect's own events
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(found.certificate))
        yield found


@pytest.fixture
def mails() -> Iterator[tuple[str, list[Any]]]:
    """The address of a mail server on loopback, and what it was sent."""
    with mailbox() as found:
        yield found


@pytest.fixture
def make_block(backends: None) -> Callable[..., str]:
    """Saves a block of a type in Prefect under a name of its own, and gives `<type>/<name>`."""
    from prefect.blocks import notifications

    from tasks.notifying import Apprise

    kinds = {
        "slack-webhook": notifications.SlackWebhook,
        "ms-teams-webhook": notifications.MicrosoftTeamsWebhook,
        "custom-webhook": notifications.CustomWebhookNotificationBlock,
        "apprise": Apprise,
    }

    def make(kind: str, **held: Any) -> str:
        name = f"operations-{next(_NUMBERS)}"
        kinds[kind](**held).save(name)
        return f"{kind}/{name}"

    return make


@pytest.fixture
def webhook(receiver: Receiver, make_block: Callable[..., str]) -> str:
    """A block that posts subject and body to the receiver, with secrets in its URL and its payload."""
    return make_block(
        "custom-webhook",
        name="ours",
        url=f"{receiver.url}/{SECRET}",
        json_data={"subject": "{{subject}}", "body": "{{body}}", "token": "{{token}}"},
        secrets={"token": SECRET},
    )


@pytest.fixture
def routed(
    make_project: Callable[..., Settings], inhabit: Callable[[Settings], AbstractContextManager[None]]
) -> Iterator[Callable[..., Workspace]]:
    """Makes a project whose alerts take the given routes: the least severity of each block."""
    entered: list[AbstractContextManager[None]] = []

    def make(blocks: Mapping[str, str]) -> Workspace:
        def route(document: dict[str, Any]) -> None:
            document["alerts"] = [{"block": block, "severity": least} for block, least in blocks.items()]

        settings = make_project(range(1, 3), share=64, edit=route)
        entered.append(inhabit(settings))
        entered[-1].__enter__()
        return open_workspace("flights", settings)

    yield make
    for each in reversed(entered):
        each.__exit__(None, None, None)
