"""What a command works on: the settings, the world and the services, each read when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

from delivery.core.service import EnvironmentSpec, ServiceSpec
from delivery.errors import NotFoundError
from delivery.ports import World
from delivery.settings import Settings

if TYPE_CHECKING:
    from delivery.cli.dagster import Dagster


class Installation:
    """One installation; tests give it settings and a world of their own."""

    def __init__(
        self, settings: Settings | None = None, world: World | None = None, dagster: Dagster | None = None
    ) -> None:
        self._settings, self._world, self._dagster = settings, world, dagster

    @cached_property
    def settings(self) -> Settings:
        """From the environment."""
        return self._settings or Settings.read()

    @cached_property
    def world(self) -> World:
        """Every port; nobody is asked yet."""
        from delivery.world import build_world

        return self._world or build_world(self.settings)

    @cached_property
    def dagster(self) -> Dagster:
        """The running Dagster of this installation (DELIVERY_UI_URL); nobody is asked yet."""
        from delivery.cli.dagster import Dagster

        return self._dagster or Dagster(self.settings.ui_url)

    @cached_property
    def services(self) -> tuple[ServiceSpec, ...]:
        """Every service; ConfigurationError with all problems of all files."""
        from delivery.catalog.loader import load_services

        return load_services(self.settings.defs)

    def service(self, name: str) -> ServiceSpec:
        """The service of that name; NotFoundError tells which there are."""
        for service in self.services:
            if service.name == name:
                return service
        known = ", ".join(s.name for s in self.services) or "none"
        raise NotFoundError(
            f"There is no service {name!r}", f"the services in {self.settings.defs} are: {known}",
            "Correct the name, or describe the service in a folder of its own with a defs.yaml.",
        )  # fmt: skip

    def environment(self, service: str, name: str) -> tuple[ServiceSpec, EnvironmentSpec]:
        """The service and its environment of that name; NotFoundError tells which there are."""
        spec = self.service(service)
        for environment in spec.environments:
            if environment.name == name:
                return spec, environment
        known = ", ".join(e.name for e in spec.environments)
        raise NotFoundError(
            f"The service {service} has no environment {name!r}", f"its environments are: {known}",
            "Correct the name.",
        )  # fmt: skip


pass_installation = click.make_pass_decorator(Installation, ensure=True)
