"""Runs the real definitions on fakes, in process, on an instance of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData as Tick
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from delivery.core.service import PromotionSpec, ServiceSpec
from delivery.orchestration.installation import installation_definitions
from delivery.orchestration.service import service_definitions
from delivery_tests.fakes.samples import sample_service, with_environment
from delivery_tests.fakes.world import FakeWorld


def gated(spec: ServiceSpec, environment: str = "production", **gate: object) -> ServiceSpec:
    """The service with a gate (ten minutes of soak, if nothing else is said) before that environment."""
    promotion = PromotionSpec("staging", **(gate or {"soak": 600.0}))  # type: ignore[arg-type]
    return with_environment(spec, replace(spec.environment(environment), after=promotion))


def quiet_staging(spec: ServiceSpec) -> ServiceSpec:
    """The service whose staging has no real users: only production's rules see a release answer errors."""
    staging = spec.environment("staging")
    rules = tuple(rule for rule in staging.rules if rule.metric == "HealthyHostCount")
    return with_environment(spec, replace(staging, rules=rules))


@dataclass
class House:
    """One installation in memory: fakes, an ephemeral Dagster instance, and the definitions under test."""

    services: Sequence[ServiceSpec] = field(default_factory=lambda: (sample_service(),))
    world: FakeWorld = field(init=False)
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    defs: dg.Definitions = field(init=False)

    def __post_init__(self) -> None:
        self.world = FakeWorld(self.services[0])
        self.defs = dg.Definitions.merge(
            *(service_definitions(spec) for spec in self.services),
            installation_definitions(self.services),
            dg.Definitions(resources={"world": self.world, "ui_url": "http://ui.test"}),
        )

    @property
    def spec(self) -> ServiceSpec:
        """The first service."""
        return self.services[0]

    def partition(self, sha: str, service: str = "web") -> None:
        """Make the commit known to Dagster, as the commits sensor does."""
        self.instance.add_dynamic_partitions(f"{service}_commits", [sha])

    def run(
        self,
        sha: str,
        job: str = "web_delivery",
        assets: Sequence[dg.AssetKey] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of that job for that commit; it may fail."""
        self.partition(sha)
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=sha, asset_selection=assets, raise_on_error=False,
            tags=dict(tags or {}),
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )  # fmt: skip

    def push(self, name: str) -> str:
        """A commit on the branch; its sha."""
        return self.world.source.push(name).sha

    def deliver(self, name: str) -> dg.ExecuteInProcessResult:
        """Push a commit and run it through the delivery job."""
        return self.run(self.push(name))

    def tick(self, sensor: str, cursor: str | None = None) -> Tick:
        """One evaluation of that sensor, as the daemon would get it: jobs and partitions resolved."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            definitions=self.defs,
            resources={"world": self.world, "ui_url": "http://ui.test"},
        )
        # Dagster leaves this out for an instance that is in memory only.
        vars(context)["caching_dynamic_partitions_loader"] = self.instance
        return self.defs.resolve_sensor_def(sensor).evaluate_tick(context)

    def begin(
        self, job: str, status: dg.DagsterRunStatus, root: str | None = None, **tags: str
    ) -> dg.DagsterRun:
        """A run of that job in that state, or its retry. `delivery_commit=` is the tag `delivery/commit`."""
        origin = RemoteJobOrigin(
            RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("delivery"), "__repository__"), job
        )
        return self.instance.create_run_for_job(
            job_def=self.defs.resolve_job_def(job),
            tags={name.replace("_", "/", 1): value for name, value in tags.items()},
            status=status,
            root_run_id=root,
            parent_run_id=root,
            remote_job_origin=origin,
            job_code_origin=None,
        )

    def state(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """That run now."""
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found


def made(result: dg.ExecuteInProcessResult) -> set[str]:
    """The assets the run materialized, as `web/staging/plan`."""
    return {
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def checks(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks evaluated on that asset, by name."""
    evaluations = result.get_asset_check_evaluations()
    return {e.check_name: e for e in evaluations if e.asset_key.to_user_string() == asset}


def failed_steps(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Step key → the error's own sentence, for the steps that failed."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure and event.step_key is not None:
            error = event.step_failure_data.error
            assert error is not None
            found[event.step_key] = (error.cause or error).message.strip()
    return found
