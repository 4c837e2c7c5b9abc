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

from delivery.sandbox import control, dns, ecr, patches
from delivery.sandbox.clock import CLOCK
from delivery.sandbox.cloudwatch.evaluator import AlarmEvaluator
from delivery.sandbox.cloudwatch.store import MetricStore
from delivery.sandbox.cloudwatch.usage import UsageMeter
from delivery.sandbox.config import SandboxConfig
from delivery.sandbox.ecs.containers import Containers
from delivery.sandbox.ecs.deployments import ServiceRuntime
from delivery.sandbox.ecs.scheduler import Scheduler
from delivery.sandbox.elb.balancer import Balancer, suffix_of
from delivery.sandbox.elb.proxy import Proxy
from delivery.sandbox.elb.requests import NAMESPACE, RequestCounter
from delivery.sandbox.elb.targets import Targets
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.github import GitHubServer
from delivery.sandbox.logs import LogShipper
from delivery.sandbox.registry import RegistryProcess
from delivery.sandbox.server import STATE, AwsServer

log = logging.getLogger(__name__)


class World:
    """One sandbox, running."""

    def __init__(self, config: SandboxConfig) -> None:
        # Terraform attaches AmazonECSTaskExecutionRolePolicy, which moto knows only when asked to.
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        CLOCK.start(config.time_scale)
        self._config, self._stopping = config, threading.Event()
        self._store = MetricStore()
        self._containers = Containers(config)
        self._targets = Targets(self._backend("elbv2"))
        self._requests = RequestCounter(self._store, lambda *names: self._balancer.names(*names))
        self._proxy = Proxy(config.state_dir / "haproxy", self._requests.pipe)
        self._balancer = Balancer(self._backend("elbv2"), self._proxy, self._targets)
        self._logs = LogShipper(self._backend("logs"))
        self._scheduler = Scheduler(self._backend("ecs"), self._containers, self._targets, self._logs)
        self._usage = UsageMeter(self._containers, self._store, self._scheduler.living)
        self._alarms = AlarmEvaluator(
            self._backend("cloudwatch"), self._backend("sns"), self._store, config.account, config.region
        )
        ServiceRuntime.target_states = staticmethod(self._targets.states_of)
        self._registry = RegistryProcess(config.registry_port, config.state_dir)
        self._patch()
        self._faults = Faults()
        self._aws = AwsServer(config.aws_port, self._faults, self._actions())
        self._github = GitHubServer(config.github_port, config.repositories, self._faults)
        self._dns = dns.DnsServer(config.dns_port, self._records)

    def _backend(self, service: str) -> Callable[[], Any]:
        region = self._config.region
        return lambda: get_backend(service)[self._config.account][region]  # type: ignore[call-overload]

    def _patch(self) -> None:
        ecr.install(self._registry.url, self._config.account, self._config.region)
        patches.cloudwatch.measure_from(self._store)
        patches.cloudwatch.alarm_history()
        patches.elbv2.own_addresses(self._config.address_prefix)
        patches.elbv2.measured_health(self._targets)
        patches.ecs.keep_service_fields(self._scheduler)
        patches.ecs.default_security_groups()
        patches.ecs.containers_without_memory()
        patches.ecs.real_tasks(self._scheduler)
        patches.ecs.moving_tasks(self._scheduler)
        patches.autoscaling.scalable_target_tags()
        patches.kms.real_signatures()
        patches.ec2.rule_descriptions()

    def _actions(self) -> control.Actions:
        """What the sandbox's own API does."""
        return {
            "faults": lambda body: self._faults.add(Fault(**body)),
            "clear": lambda body: self._faults.clear(),
            "findings": lambda body: ecr.seed_findings(body["digest"], body["counts"]),
            "registry": lambda body: self._registry.start() if body["running"] else self._registry.stop(),
        }

    def run(self) -> None:
        """Start everything, say so, and keep the loops going until `stop`."""
        self._registry.start()
        self._requests.start()
        self._aws.start()
        self._github.start()
        self._dns.start()
        loops: list[tuple[str, float, Callable[[], object]]] = [
            ("scheduler", 0.25, self._scheduler.tick),
            ("health", 0.1, self._targets.tick),
            ("balancer", 0.1, self._balancer.tick),
            ("hosts", 1.0, self._count_hosts),
            ("usage", 5.0, self._usage.tick),
            ("alarms", 1.0, self._alarms.tick),
            ("logs", 0.5, self._logs.flush),
        ]
        for name, seconds, tick in loops:
            threading.Thread(target=self._loop, args=(name, seconds, tick), name=name, daemon=True).start()
        (self._config.state_dir / "ready").write_text(str(os.getpid()))
        self._stopping.wait()

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

    def _count_hosts(self) -> None:
        """HealthyHostCount and UnHealthyHostCount of every group with targets, each second."""
        now = time.time()
        with STATE:
            groups = list(self._backend("elbv2")().target_groups.values())
            for group in groups:
                mine = self._targets.in_group(group.arn)
                for balancer in group.load_balancer_arns if mine else ():
                    dimensions = {"TargetGroup": suffix_of(group.arn), "LoadBalancer": suffix_of(balancer)}
                    healthy = sum(t.published[0] == "healthy" for t in mine)
                    self._store.add(NAMESPACE, "HealthyHostCount", dimensions, now, healthy)
                    self._store.add(NAMESPACE, "UnHealthyHostCount", dimensions, now, len(mine) - healthy)

    def _records(self) -> list[dns.Record]:
        with STATE:
            return list(dns.route53_records(self._config.account))
