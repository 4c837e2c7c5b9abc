"""The sandbox's process: everything composed, every loop running until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.backends import get_backend

from delivery.sandbox import claims, control, dns, ecr, events, patches
from delivery.sandbox.autoscaling.scaler import Scaler
from delivery.sandbox.chaos.outages import Outages
from delivery.sandbox.chaos.slots import SlotFaults
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.evaluator import AlarmEvaluator
from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.cloudwatch.usage import UsageMeter
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.ecs.alarms import alarm_states
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.runner import TaskRunner
from delivery.sandbox.ecs.scheduler import Scheduler
from delivery.sandbox.ecs.shown import task_events
from delivery.sandbox.elb.balancer import Balancer
from delivery.sandbox.elb.certificates import CertificateFiles, pem_in
from delivery.sandbox.elb.hosts import Hosts
from delivery.sandbox.elb.proxy import Proxy
from delivery.sandbox.elb.requests import RequestCounter
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.events import EventBus
from delivery.sandbox.faults import Faults
from delivery.sandbox.github import GitHubServer
from delivery.sandbox.iam.gate import Gate
from delivery.sandbox.inner import Inner
from delivery.sandbox.leftovers import ended
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.overview import Overview
from delivery.sandbox.server import STATE, AwsServer

log = logging.getLogger(__name__)


class World:
    """One sandbox, running."""

    def __init__(self, config: SandboxConfig) -> None:
        # Terraform attaches AmazonECSTaskExecutionRolePolicy, which moto knows only when asked to.
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        CLOCK.start(config.time_scale)
        self._config, self._stopping = config, threading.Event()
        self._store = MetricStore(config.metric_resolution, config.metric_delay)
        self._events = EventBus(self._backend("events"), config.account, config.region)
        self._data_plane(config)
        self._control_loops(config)
        self._patch()
        self._servers(config)

    def _data_plane(self, config: SandboxConfig) -> None:
        """What is real: the registry, the containers, the load balancers, the logs."""
        self._registry = ecr.Registry(config.registry_port, config.state_dir, self._backend("ecr"), STATE)
        self._containers = Containers(config)
        self._targets = Targets(self._backend("elbv2"))
        self._requests = RequestCounter(
            self._store, lambda *names: self._balancer.names(*names), lambda name: self._balancer.share(name)
        )
        self._proxy = Proxy(config.state_dir / "haproxy", self._requests.pipe)
        self._balancer = Balancer(
            self._backend("elbv2"), self._proxy, self._targets, config.propagation,
            CertificateFiles(
                config.state_dir / "haproxy", lambda arn: pem_in(self._state("acm"), self._state("iam"), arn)
            ),
        )  # fmt: skip
        self._hosts = Hosts(self._backend("elbv2"), self._targets, self._proxy, self._store)
        self._logs = LogShipper(self._backend("logs"))

    def _control_loops(self, config: SandboxConfig) -> None:
        """What keeps the world as it was asked to be."""
        self._runner = TaskRunner(
            self._containers, self._targets, self._logs, lambda name: self._backend(name)()
        )
        self._runner.changed = task_events(self._events)
        self._scheduler = Scheduler(
            self._backend("ecs"), self._runner, self._targets, self._events,
            alarm_states(self._backend("cloudwatch")),
        )  # fmt: skip
        self._usage = UsageMeter(self._containers, self._store, self._runner.living)
        self._alarms = AlarmEvaluator(
            self._backend("cloudwatch"), self._backend("sns"), self._store, self._events,
            config.account, config.region,
        )  # fmt: skip
        self._scaler = Scaler(
            self._backend("application-autoscaling"), self._backend("ecs"),
            self._scheduler.changed, lambda: self._alarms.alarms,
        )  # fmt: skip
        self._alarms.scale = self._scaler.act

    def _servers(self, config: SandboxConfig) -> None:
        """What clients speak to, and what can be broken."""
        self._faults = Faults()
        self._slots = SlotFaults(
            self._containers, self._targets, self._runner.tasks.values, self._service_names
        )  # fmt: skip
        self._github = GitHubServer(config.github_port, config.repositories, self._faults)
        self._outages = Outages(
            self._faults, self._slots, self._registry, self._containers, self._github.limits
        )
        self._aws = AwsServer(config.aws_port, self._faults, self._actions(), self._gate())
        self._overview = Overview(config, Inner(self._aws.inner, config.region), self._outages.in_force)
        self._dns = dns.DnsServer(config.dns_port, dns.CHANGES.zones)

    def _backend(self, service: str) -> Callable[[], Any]:
        region = self._config.region
        return lambda: get_backend(service)[self._config.account][region]  # type: ignore[call-overload]

    def _state(self, service: str) -> Any:
        """moto's state of a service; IAM's, S3's and their like are not of a region."""
        backends: Any = get_backend(service)[self._config.account]  # type: ignore[call-overload]
        return backends[self._config.region] if self._config.region in backends.regions else backends["aws"]

    def _gate(self) -> Gate:
        return Gate(self._config.account, self._config.enforce_iam, self._state)

    def _patch(self) -> None:
        patches.clock.awss_time()
        ecr.install(self._registry)
        events.documented_delivery()
        patches.cloudwatch.one_store(self._store)
        patches.cloudwatch.checked_dashboards()
        patches.cloudwatch_alarms.evaluated_by(self._alarms)
        patches.elbv2.install(self._config.address_prefix, self._targets)
        patches.ecs.install(self._scheduler, self._backend("elbv2"))
        patches.ecs_services.install(self._scheduler)
        patches.ecs_tasks.install(self._runner)
        patches.autoscaling.scaled_by(self._scaler, self._alarms)
        patches.kms.real_signatures()
        patches.ec2.rule_descriptions()
        dns.CHANGES.delay = self._config.dns_delay
        patches.route53.install(dns.CHANGES)
        patches.sqs.long_polling(STATE)
        patches.sts.install(self._state)
        patches.iam.simulated_policies(self._state)
        patches.s3.conditions_of_bucket_policies()
        patches.s3.readable_bucket_policies()
        patches.logs.events_by_time()

    def _service_names(self) -> list[str]:
        services = self._backend("ecs")().services.values()
        return [s.name for s in services if s.status != "INACTIVE"]

    def _actions(self) -> control.Actions:
        """What the sandbox's own API does."""
        return {
            "GET clock": lambda body: {"now": CLOCK.now(), "scale": CLOCK.scale, "skew": CLOCK.skew},
            "GET status": lambda body: self._overview.look(),
            "POST findings": lambda body: ecr.seed_findings(**body),
            **self._outages.actions(),
        }

    def run(self) -> None:
        """Start everything, say so, and keep the loops going until `stop`."""
        self._claim = claims.hold_prefix(self._config.address_prefix)
        self._registry.start()
        self._requests.start()
        self._aws.start()
        self._github.start()
        self._dns.start()
        # Every so many real seconds. What is a sample of AWS's is taken more often when its time runs faster.
        loops: list[tuple[str, float, Callable[[], object]]] = [
            ("scheduler", 0.25, self._scheduler.tick),
            ("health", 0.1, self._targets.tick),
            ("balancer", 0.1, self._balancer.tick),
            ("hosts", max(0.25, CLOCK.real(1)), self._hosts.tick),
            ("usage", max(0.5, CLOCK.real(5)), self._usage.tick),
            ("alarms", 0.5, self._alarms.tick),
            ("scaling", 0.5, self._scaler.tick),
            ("logs", 0.5, self._logs.flush),
            ("chaos", 0.2, self._slots.tick),
            ("parent", 1.0, self._mind_parent),
        ]
        for name, seconds, tick in loops:
            threading.Thread(target=self._loop, args=(name, seconds, tick), name=name, daemon=True).start()
        (self._config.state_dir / "ready").write_text(str(os.getpid()))
        self._stopping.wait()

    def _mind_parent(self) -> None:
        """Whoever started this sandbox for himself alone is gone, killed perhaps: so is its purpose."""
        parent = self._config.parent_pid
        if parent and ended(parent):
            log.warning("process %s has ended, so does this sandbox", parent)
            self.stop()

    def stop(self) -> None:
        """Let `run` return; its callers then clean up."""
        self._stopping.set()

    def close(self) -> None:
        """End what this process started."""
        for part in (self._dns, self._github, self._aws, self._proxy, self._registry):
            with contextlib.suppress(OSError):
                part.stop()

    def _loop(self, name: str, seconds: float, tick: Callable[[], object]) -> None:
        """A loop outlives its own errors: they are told, and the next look is as good as the last."""
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                tick()
            except Exception:
                log.exception("the loop %r failed, it goes on", name)
            self._stopping.wait(max(0.02, seconds - (time.monotonic() - begun)))
