"""The composition root: loads with nothing, refuses at the door, and asks for the world only when it acts."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.instance.config import dagster_instance_config

import delivery
from delivery.errors import ConfigurationError
from delivery.settings import Settings
from delivery_tests.fakes.samples import sample_sha
from delivery_tests.orchestration.support import House

ROOT = Path(delivery.__file__).parents[1]
SAMPLE = Path(delivery.__file__).parent / "defs" / "web" / "defs.yaml"
BLOCKED = textwrap.dedent(
    """
    import socket

    def refuse(*arguments, **keywords):
        raise AssertionError("the definitions asked the network")

    socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
    import dagster as dg
    from delivery.definitions import defs

    dg.Definitions.validate_loadable(defs)
    print(len(list(defs.resolve_all_asset_specs())))
    """
)


def _defs(tmp_path: Path, **services: str) -> Path:
    for name, text in services.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "defs.yaml").write_text(text)
    return tmp_path


def test_definitions_load_without_network_credentials_or_home(tmp_path: Path) -> None:
    """A fresh process with an empty environment and no sockets loads them all, and prints no warning."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "22"
    assert "Warning" not in done.stderr


def test_services_of_another_folder_are_loaded(tmp_path: Path) -> None:
    """DELIVERY_DEFS may be any folder, with several services; each has its assets, jobs and schedules."""
    from delivery.definitions import definitions

    text = SAMPLE.read_text()
    folder = _defs(tmp_path, shop=text, api=text)
    loaded = definitions(Settings.read({"DELIVERY_DEFS": str(folder)}))
    dg.Definitions.validate_loadable(loaded)
    services = {spec.key.path[0] for spec in loaded.resolve_all_asset_specs()}
    assert services == {"shop", "api"}
    assert {"shop_delivery", "api_delivery"} <= {job.name for job in loaded.resolve_all_job_defs()}
    assert len(loaded.get_repository_def().sensor_defs) == 4


def test_broken_files_stop_the_loading_and_are_all_named(tmp_path: Path) -> None:
    """One error names every problem of every file; a good service is not loaded as if all were well."""
    from delivery.definitions import definitions

    text = SAMPLE.read_text()
    described = yaml.safe_load(text)
    described["attributes"]["environments"]["production"]["strategy"] = {"canary": {"steps": [50, 10]}}
    folder = _defs(tmp_path, good=text, one=yaml.safe_dump(described), two="type: delivery.Service\n")
    with pytest.raises(ConfigurationError) as caught:
        definitions(Settings.read({"DELIVERY_DEFS": str(folder)}))
    told = str(caught.value)
    assert "one/defs.yaml" in told and "two/defs.yaml" in told and "good/defs.yaml" not in told


def test_an_installation_without_services_loads(tmp_path: Path) -> None:
    """Before the first service is written there is nothing, and no error."""
    from delivery.definitions import definitions

    dg.Definitions.validate_loadable(definitions(Settings.read({"DELIVERY_DEFS": str(tmp_path)})))


def test_the_shipped_instance_settings_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`dagster.yaml` is accepted by Dagster and says what the design says."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    config, _ = dagster_instance_config(str(ROOT))
    runs = config["concurrency"]["runs"]
    (limit,) = runs["tag_concurrency_limits"]
    assert (limit["key"], limit["limit"]) == ("delivery/lock", 1)
    assert limit["value"] == {"applyLimitPerUniqueValue": True}
    assert config["run_coordinator"]["config"]["dequeue_interval_seconds"] == 1
    assert config["telemetry"]["enabled"] is False
    assert config["run_retries"] == {
        "enabled": True, "max_retries": 0, "retry_on_asset_or_op_failure": False,
    }  # fmt: skip
    assert config["run_monitoring"]["enabled"] and config["run_monitoring"]["max_runtime_seconds"] > 3600


@pytest.mark.parametrize(
    ("reason", "again"), [(RunFailureReason.STEP_FAILURE, False), (RunFailureReason.RUN_EXCEPTION, True),
                          (None, True)],
)  # fmt: skip
def test_a_run_is_repeated_when_its_worker_died_and_not_when_it_failed_by_itself(
    reason: RunFailureReason | None, again: bool
) -> None:
    """A rolled-back incident or a refused step stays red; a lost worker's run goes on."""
    house = House()
    house.partition(sample_sha("a"))
    run = house.begin("web_delivery", dg.DagsterRunStatus.FAILURE, **_job_tags(house))
    assert auto_reexecution_should_retry_run(house.instance, run, reason) is again


def _job_tags(house: House) -> dict[str, str]:
    tags = house.defs.resolve_job_def("web_delivery").run_tags
    return {name.replace("/", "_", 1): value for name, value in tags.items()}
