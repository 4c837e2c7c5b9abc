"""A world behind endpoint URLs: AWS, GitHub, a registry and DNS that behave, on this machine alone.

Product code speaks to it exactly as to the real ones; only the command line and the tests start it.
moto keeps the control plane's state; a runtime makes it real: tasks are containers, listener rules are
a proxy's, health is asked for, metrics are counted from requests, alarms are evaluated.
"""

from delivery.sandbox.config import Endpoints, SandboxConfig, SandboxError
from delivery.sandbox.lifecycle import down, status, up

__all__ = ["Endpoints", "SandboxConfig", "SandboxError", "down", "status", "up"]
