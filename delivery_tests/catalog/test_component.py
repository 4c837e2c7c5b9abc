"""`type: delivery.Service` through Dagster's own loading of a project's folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from pydantic import ValidationError

import delivery
from delivery.catalog.models.service import ServiceModel
from delivery_tests.catalog.files import GOOD, changed, line_of, write
from delivery_tests.catalog.test_shared_checks import TEXT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `dg` project of somebody's own, with a module name that no other test imports."""
    name = f"project_{abs(hash(tmp_path)):x}"
    defs = tmp_path / name / "defs"
    defs.mkdir(parents=True)
    for folder in (defs, defs.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{name}"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def defs_of(project: Path) -> Path:
    """The folder with the components."""
    return next(project.glob("project_*/defs"))


def whole(definitions: dg.Definitions) -> dg.Definitions:
    """With the installation's resources, which no file describes."""
    nothing = dg.ResourceDefinition.none_resource()
    return dg.Definitions.merge(definitions, dg.Definitions(resources={"world": nothing, "ui_url": nothing}))


def keys(definitions: dg.Definitions) -> set[str]:
    """The assets, as people write them."""
    graph = whole(definitions).resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_a_service_becomes_its_assets(project: Path) -> None:
    """Dagster finds the component by its type, and every environment's chain is there."""
    write(defs_of(project))
    found = keys(dg.load_from_defs_folder(path_within_project=project))
    assert {"web/source", "web/quality", "web/build", "web/image"} <= found
    assert {f"web/{e}/{node}" for e in ("staging", "production") for node in ("plan", "live")} <= found


def test_checks_that_are_written_once_are_checks_of_both(project: Path) -> None:
    """An anchor in staging, used in production: Dagster reads it as the command line does."""
    write(defs_of(project), TEXT)
    graph = whole(dg.load_from_defs_folder(path_within_project=project)).resolve_asset_graph()
    found = {key.asset_key.to_user_string() for key in graph.asset_check_keys if key.name == "too_slow"}
    assert found == {"web/staging/health", "web/production/health"}


def test_the_sample_loads(project: Path) -> None:
    """The service that ships with the package loads through Dagster, without a network."""
    sample = Path(delivery.__file__).parent / "defs" / "web" / "defs.yaml"
    write(defs_of(project), sample.read_text())
    found = keys(dg.load_from_defs_folder(path_within_project=project))
    assert {"web/source", "web/production/health"} <= found


def test_two_services_in_one_file(project: Path) -> None:
    """Documents of one file are services of their own, by `name`."""
    other = GOOD.replace("attributes:\n", "attributes:\n  name: other\n", 1)
    write(defs_of(project), f"{GOOD}---\n{other}")
    found = keys(dg.load_from_defs_folder(path_within_project=project))
    assert {"web/source", "other/source"} <= found


def test_a_bad_file_is_named_with_its_lines(project: Path) -> None:
    """What Dagster tells of a bad file names it, its fields and their lines, several at once."""
    text = changed("minimum: 80", "minimum: 101").replace("steps: [10, 50, 100]", "steps: [50, 10]")
    file = write(defs_of(project), text)
    with pytest.raises(Exception, match="web") as raised:
        dg.load_from_defs_folder(path_within_project=project)
    told = str(_cause(raised.value))
    assert f"quality.coverage.minimum at {file}:{line_of(text, 'minimum')}" in told
    assert f"strategy.canary.steps at {file}:{line_of(text, 'steps:')}" in told
    assert "must rise from above 0 to 100" in told


def test_what_does_not_fit_together_is_told_too(project: Path) -> None:
    """Relations between fields are refused by the component as by `delivery validate`."""
    text = changed("{ environment: staging, soak", "{ environment: stagin, soak")
    file = write(defs_of(project), text)
    with pytest.raises(Exception, match="web") as raised:
        dg.load_from_defs_folder(path_within_project=project)
    told = str(_cause(raised.value))
    assert f"production.after.environment at {file}:{line_of(text, 'stagin,')}" in told
    assert "there is no environment 'stagin'" in told


@pytest.mark.parametrize(
    ("folder", "reason"), [("a-rather-long-name", "26 characters"), ("My_Web", "'My_Web' is not a name")]
)
def test_a_folder_whose_name_does_not_fit(project: Path, folder: str, reason: str) -> None:
    """The folder's name becomes part of every resource's: the component refuses what AWS would."""
    write(defs_of(project), GOOD, folder)
    with pytest.raises(Exception, match=folder) as raised:
        dg.load_from_defs_folder(path_within_project=project)
    assert reason in str(raised.value.__cause__ or raised.value.__context__)


def test_the_schema_is_the_models() -> None:
    """`dg check yaml` checks against this schema: it refuses unknown fields, and takes durations as text."""
    assert delivery.Service.get_model_cls() is ServiceModel
    schema = ServiceModel.model_json_schema()
    assert schema["additionalProperties"] is False
    gate = schema["$defs"]["GateModel"]
    assert gate["additionalProperties"] is False
    assert {"type": "string"} in gate["properties"]["run"]["anyOf"]
    assert ServiceModel.model_fields.keys() == delivery.Service.model_fields.keys()


def test_the_package_does_not_import_dagster() -> None:
    """`import delivery` is quick; Dagster comes with the first look at `delivery.Service`."""
    code = "import sys, delivery; assert 'dagster' not in sys.modules; delivery.Service; import delivery"
    subprocess.run([sys.executable, "-c", code], check=True)


def _cause(error: BaseException) -> BaseException:
    """The validation error at the bottom of Dagster's chain."""
    at: BaseException | None = error
    while at is not None and not isinstance(at, ValidationError):
        at = at.__cause__ or at.__context__
    assert at is not None, "there is no validation error in the chain"
    return at
