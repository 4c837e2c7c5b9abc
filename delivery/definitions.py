"""The composition root: settings → adapters → Dagster's definitions. Loads without network or credentials.

A broken service file stops the loading with one error that names every problem of every file: a service that
quietly went missing would look like one that is never deployed.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import dagster as dg

from delivery.catalog.loader import load_services
from delivery.orchestration.installation import installation_definitions
from delivery.ports import World
from delivery.settings import Settings
from delivery.world import build_world


def definitions(settings: Settings) -> dg.Definitions:
    """Everything of one installation; ConfigurationError with every problem of its service files."""
    services = load_services(settings.defs)
    return dg.Definitions.merge(
        _folder(settings.defs, settings.root),
        installation_definitions(services),
        dg.Definitions(
            resources={"world": _world(settings), "ui_url": settings.ui_url}, executor=dg.in_process_executor
        ),
    )


def _folder(defs: Path, root: Path) -> dg.Definitions:
    """The components of the folder, loaded by Dagster itself: others may stand beside ours."""
    if not any(defs.iterdir()):
        return dg.Definitions()
    with warnings.catch_warnings():
        # Dagster warns of its own use of its own beta features, once for every asset.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.ComponentTree(defs_module=_module(defs), project_root=root).build_defs()


def _module(defs: Path) -> ModuleType:
    """The folder as a module. One that is not in this package need not be importable by itself."""
    if defs == Path(__file__).parent / "defs":
        return importlib.import_module("delivery.defs")
    module = ModuleType("delivery_services")
    module.__path__ = [str(defs)]
    module.__file__ = None
    sys.modules[module.__name__] = module
    return module


def _world(settings: Settings) -> dg.ResourceDefinition:
    """The world, made when a step or a sensor first asks, once per process: clients are worth keeping."""

    @lru_cache(maxsize=1)
    def made() -> World:
        return build_world(settings)

    return dg.ResourceDefinition(lambda _: made(), description="AWS, GitHub, Docker, Terraform.")


defs = definitions(Settings.read())
