"""The one family of errors.

    DeliveryError                what happened, why, and what to do next
    ├── ConfigurationError       the user's files or settings are wrong (exit code 2)
    ├── PrerequisiteError        a tool or service this machine needs is missing or not running
    ├── NotFoundError            a named thing (service, environment, release, commit) does not exist
    │   └── RewrittenError       a branch was force-pushed: it is there, the commit is no longer on it
    ├── ConflictError            somebody else holds it, or it changed under us: look again
    │   ├── LockHeldError        another deployer works on this service and environment
    │   └── StalePlanError       the saved plan no longer fits the state: plan again
    ├── RefusedError             a rule of ours says no: a gate, a policy, a quarantine, a guard
    ├── ProviderError            AWS, GitHub, Docker or Terraform failed; says nothing of the release
    │   └── UnavailableError     … and asking again later may help (timeout, throttling, 5xx)
    └── DeploymentFailedError    the release was judged bad and the previous one restored (red on purpose)

Provider exceptions are translated once, in the adapters. `ProviderError` means *could not look*;
it never condemns a release and never passes one.
"""

from __future__ import annotations


class DeliveryError(Exception):
    """An error a person can act on: `what` happened, `why`, and a `hint` with the next action."""

    def __init__(self, what: str, why: str, hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what = what.rstrip(".")
        self.why = why.rstrip(".")
        self.hint = hint

    def __str__(self) -> str:
        sentence = f"{self.what}: {self.why}." if self.why else f"{self.what}."
        return f"{sentence} {self.hint}".rstrip()


class ConfigurationError(DeliveryError):
    """The user's files or settings are wrong."""


class PrerequisiteError(DeliveryError):
    """A tool or service this machine needs is missing or not running."""


class NotFoundError(DeliveryError):
    """A named thing does not exist."""


class RewrittenError(NotFoundError):
    """The branch is there, and a commit that was on it is not any more (a force push)."""


class ConflictError(DeliveryError):
    """The thing changed, or is held by somebody else, since it was last looked at."""


class LockHeldError(ConflictError):
    """Another deployer holds the lock of this service and environment."""


class StalePlanError(ConflictError):
    """The saved Terraform plan no longer fits the state it was made from."""


class RefusedError(DeliveryError):
    """One of our own rules says no: a gate, a policy, a quarantine, a guard."""


class ProviderError(DeliveryError):
    """A provider failed. Says nothing about the release."""


class UnavailableError(ProviderError):
    """A provider failed in a way that may pass: timeout, throttling, 5xx."""


class DeploymentFailedError(DeliveryError):
    """A release was judged bad; raised at the end so that the run is red."""
