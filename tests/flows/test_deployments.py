"""What is registered for each project: deployments with their schedules and parameters, and automations."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import yaml

from core.settings import Settings

pytestmark = pytest.mark.slow

SCHEDULES = {"ingest": "*/10 * * * *", "score": None}


@pytest.fixture(scope="module")
def settings(
    make_project: Callable[..., Settings], inhabit: Callable[..., AbstractContextManager[None]]
) -> Iterator[Settings]:
    """Two projects, registered twice."""
    from flows.deployments import register

    def edit(document: dict[str, Any]) -> None:
        document["schedules"] = SCHEDULES

    settings = make_project(range(2, 4), share=5000, edit=edit)
    other = settings.projects / "trains"
    shutil.copytree(settings.projects / "flights", other)
    document = yaml.safe_load((other / "project.yaml").read_text())
    (other / "project.yaml").write_text(yaml.safe_dump(document | {"name": "trains"}))
    with inhabit(settings):
        register(settings)
        register(settings)
        yield settings


def there() -> dict[str, Any]:
    """The deployments of ours at the server, by `<flow>/<project>`."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        return {
            f"{flows[each.flow_id]}/{each.name}": each
            for each in client.read_deployments()
            if "perennial" in each.tags
        }


def automations() -> dict[str, Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = [each for each in client.read_automations() if each.name.startswith("perennial: ")]
        assert len(found) == len({each.name for each in found})
        return {each.name: each for each in found}


def test_each_flow_of_each_project_has_one_deployment(settings: Settings) -> None:
    found = there()
    flows = {
        "ingest",
        "score",
        "monitor",
        "retrain",
        "backfill",
        "release quarantine",
        "train",
        "tune",
        "lifecycle",
        "replay",
    }
    assert flows <= {name.partition("/")[0] for name in found}
    assert {name.partition("/")[2] for name in found} == {"flights", "trains"}
    for name, each in found.items():
        project = name.partition("/")[2]
        assert project in each.tags and each.parameters == {"project": project}
        assert each.work_pool_name == "perennial" and each.description
        assert each.global_concurrency_limit.limit == 1
        assert each.entrypoint.startswith("flows.")
    assert found["ingest/flights"].concurrency_options.collision_strategy.value == "CANCEL_NEW"
    assert found["score/flights"].concurrency_options.collision_strategy.value == "ENQUEUE"


def test_schedules_are_those_of_the_spec_in_its_time_zone(settings: Settings) -> None:
    found = {
        name: [(each.schedule.cron, each.schedule.timezone, each.active) for each in deployment.schedules]
        for name, deployment in there().items()
    }
    assert found["ingest/flights"] == [("*/10 * * * *", "America/New_York", True)]
    assert found["monitor/flights"] == [("35 * * * *", "America/New_York", True)]
    assert found["score/flights"] == found["retrain/flights"] == []


def test_a_schedule_makes_runs(settings: Settings) -> None:
    """That it is registered is not enough: the server's scheduler must get along with what is installed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    ingest = DeploymentFilter(id=DeploymentFilterId(any_=[there()["ingest/flights"].id]))
    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + 60
        while not client.read_flow_runs(deployment_filter=ingest):
            assert time.monotonic() < deadline, "the scheduler has made no run"
            time.sleep(0.2)


def test_a_run_that_lives_is_not_taken_for_killed(settings: Settings) -> None:
    from flows.automations import SILENT

    beat = int(settings.environment()["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert 2 * beat < SILENT.total_seconds()
    assert automations()["perennial: mark killed runs"].trigger.within == SILENT


def test_every_parameter_is_typed_and_described(settings: Settings) -> None:
    for name, each in there().items():
        for parameter, schema in each.parameter_openapi_schema["properties"].items():
            assert schema.get("description"), f"{name}: {parameter}"
            assert schema.keys() & {"type", "anyOf", "enum"}, f"{name}: {parameter}"
    properties = there()["retrain/flights"].parameter_openapi_schema["properties"]
    assert "date-time" in str(properties["as_of"]) and "retrain stateful" in str(properties["action"])


def test_automations_start_what_an_event_asks_for_of_its_project_alone(settings: Settings) -> None:
    found, deployed = automations(), there()
    starts = {f"perennial: {flow} {project}" for flow in ("score", "monitor", "retrain")
              for project in ("flights", "trains")}  # fmt: skip
    again = {f"perennial: retrain {project} again" for project in ("flights", "trains")}
    assert found.keys() == starts | again | {"perennial: mark killed runs"}
    retrain = found["perennial: retrain trains"]
    assert retrain.trigger.expect == {"perennial.retrain.requested"}
    assert retrain.trigger.match.root == {"prefect.resource.id": "perennial.project.trains"}
    assert retrain.actions[0].deployment_id == deployed["retrain/trains"].id


def test_the_block_that_sends_mail_is_offered_in_the_ui(settings: Settings) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.read_block_type_by_slug("apprise")
    assert found.name == "Apprise"


def test_a_retraining_that_was_killed_is_looked_for_at_once(settings: Settings) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.states import Crashed, Running

    deployed = there()
    opens = DeploymentFilter(id=DeploymentFilterId(any_=[deployed["monitor/trains"].id]))
    with get_client(sync_client=True) as client:

        def opened() -> int:
            runs = client.read_flow_runs(deployment_filter=opens)
            return sum("auto-scheduled" not in run.tags for run in runs)

        for name in ("retrain/flights", "score/trains", "retrain/trains"):
            assert opened() == 0, name
            run = client.create_flow_run_from_deployment(deployed[name].id)
            for state in (Running(), Crashed()):
                client.set_flow_run_state(run.id, state, force=True)
        deadline = time.monotonic() + 60
        while not opened():
            assert time.monotonic() < deadline, "nobody looks for what the killed retraining has left"
            time.sleep(0.2)


def test_a_request_that_a_run_is_about_to_answer_is_not_asked_for_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Pending, Running, Scheduled

    from flows import automations
    from flows.automations import is_on_its_way

    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(there()["retrain/flights"].id, parameters={"request": 7})
        assert is_on_its_way("flights", 7)
        assert not is_on_its_way("flights", 8) and not is_on_its_way("trains", 7)
        # Whether a run that has begun has claimed the request is on record.
        for state, waits in ((Pending(), True), (Running(), False), (Scheduled(), True)):
            client.set_flow_run_state(run.id, state, force=True)
            assert is_on_its_way("flights", 7) == waits, state
        monkeypatch.setattr(automations, "ALIVE", timedelta())  # its worker was killed a while ago
        assert not is_on_its_way("flights", 7)


def test_what_a_person_disabled_stays_so_and_a_project_that_is_gone_leaves_nothing(
    settings: Settings,
) -> None:
    from prefect.client.orchestration import get_client

    from flows.automations import is_automated
    from flows.deployments import register

    assert not is_automated("flights")  # nobody serves the deployment
    with get_client(sync_client=True) as client:
        client.pause_automation(automations()["perennial: score flights"].id)
    shutil.rmtree(settings.projects / "trains")
    register(settings)
    assert {name.partition("/")[2] for name in there()} == {"flights"}
    found = automations()
    assert not [name for name in found if name.endswith("trains")]
    assert not found["perennial: score flights"].enabled and found["perennial: monitor flights"].enabled
