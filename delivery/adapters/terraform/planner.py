"""`Planner`: plan once, review, apply exactly that file, read the outputs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from delivery.adapters.terraform.command import TOOLS, Command, Progress, plugin_arguments
from delivery.adapters.terraform.plans import summarise
from delivery.adapters.terraform.workspace import Workspace, open_workspace
from delivery.core.infra import DeployContract, PlanSummary
from delivery.core.service import TerraformSpec
from delivery.errors import ConfigurationError, NotFoundError, StalePlanError

_CONTRACT = TypeAdapter(DeployContract)


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform for the stacks of one project. `root` is the project, `work` a folder of our own.

    `lock_timeout` is how many seconds somebody else's lock on the state is waited for.
    """

    root: Path
    work: Path
    environment: Mapping[str, str]
    binary: str = "terraform"
    lock_timeout: int = 60

    def plan(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> tuple[PlanSummary, bytes]:
        """Plan the stack under state key `key`; the summary and the plan file's bytes."""
        space = self._ready(spec, key, variables)
        return self._plan(space, spec, progress)

    def _plan(self, space: Workspace, spec: TerraformSpec, progress: Progress) -> tuple[PlanSummary, bytes]:
        file = space.data / "saved.tfplan"
        given = [f"-var-file={path}" for path in space.var_files]
        arguments = [
            "plan",
            "-json",
            "-input=false",
            "-detailed-exitcode",
            self._lock,
            f"-out={file}",
        ]
        self._command.run(space.folder, space.data, [*arguments, *given], progress, accept=(0, 2))
        content = file.read_bytes()
        os.chmod(file, 0o600)
        shown = self._command.run(space.folder, space.data, ["show", "-json", str(file)])
        file.unlink()
        plan_id = hashlib.sha256(content).hexdigest()
        now = datetime.now(UTC)
        return summarise(json.loads(shown.out), plan_id, spec.stack, now, space.inputs), content

    def apply(
        self, spec: TerraformSpec, key: str, plan: PlanSummary, file: bytes, progress: Progress
    ) -> None:
        """Apply exactly this plan; StalePlanError when state or file is not the reviewed one."""
        if hashlib.sha256(file).hexdigest() != plan.plan_id:
            raise StalePlanError(
                "The plan was not applied",
                "its file is not the one that was reviewed",
                "Rerun from the asset `plan`.",
            )
        space = self._ready(spec, key, {})
        saved = space.data / "apply.tfplan"
        saved.touch(mode=0o600)
        saved.write_bytes(file)
        try:
            arguments = ["apply", "-json", "-input=false", self._lock, str(saved)]
            self._command.run(space.folder, space.data, arguments, progress)
        finally:
            saved.unlink()

    def outputs(self, spec: TerraformSpec, key: str) -> Mapping[str, Any]:
        """The stack's outputs; NotFoundError before the first apply."""
        space = self._ready(spec, key, {})
        shown = self._command.run(space.folder, space.data, ["output", "-json"])
        outputs = {name: entry["value"] for name, entry in json.loads(shown.out or "{}").items()}
        if not outputs:
            raise NotFoundError(
                f"The stack {spec.stack} has no outputs", f"nothing was applied under {key} yet",
                "Materialize `plan` and `infrastructure` first.",
            )  # fmt: skip
        return outputs

    def contract(self, spec: TerraformSpec, key: str) -> DeployContract:
        """The output `deploy_contract` of a service stack."""
        value = self.outputs(spec, key).get("deploy_contract")
        try:
            return _CONTRACT.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "deploy_contract"
            raise ConfigurationError(
                f"The output deploy_contract of {spec.stack} does not fit",
                f"{where}: {first['msg']}",
                "Compare it with infra/stacks/service/outputs.tf.",
            ) from None

    def drift(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> PlanSummary:
        """An ordinary plan that is thrown away: what differs from the code."""
        summary, _ = self._plan(self._ready(spec, key, variables), spec, progress)
        return summary

    def destroy(
        self, spec: TerraformSpec, key: str, variables: Mapping[str, Any], progress: Progress
    ) -> None:
        """Remove everything of the stack (bootstrap's way back; no asset does this)."""
        space = self._ready(spec, key, variables)
        given = [f"-var-file={path}" for path in space.var_files]
        arguments = ["destroy", "-json", "-auto-approve", "-input=false", self._lock, *given]
        self._command.run(space.folder, space.data, arguments, progress)

    @property
    def _lock(self) -> str:
        return f"-lock-timeout={self.lock_timeout}s"

    @property
    def _command(self) -> Command:
        return Command(self.binary, self.environment)

    def _ready(self, spec: TerraformSpec, key: str, variables: Mapping[str, Any]) -> Workspace:
        """A workspace after `init`. A stack without a backend file keeps its state in the work folder."""
        space = open_workspace(self.root, self.work, spec, key, variables)
        backend = []
        if space.backend is not None:
            backend = [f"-backend-config={space.backend}", f"-backend-config=key={key}"]
        elif not _has_backend(space.folder):
            kept = space.data.parent / "terraform.tfstate"
            (space.folder / "kept_state_override.tf").write_text(
                f'terraform {{\n  backend "local" {{\n    path = "{kept}"\n  }}\n}}\n'
            )
        arguments = ["init", "-input=false", "-no-color", "-reconfigure", *backend]
        self._command.run(
            space.folder, space.data, [*arguments, *plugin_arguments(self.environment, self.root / TOOLS)]
        )
        return space


def _has_backend(folder: Path) -> bool:
    return any('backend "' in path.read_text() for path in folder.glob("*.tf"))
