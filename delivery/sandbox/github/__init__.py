"""A GitHub-compatible API and git's smart HTTP over real bare repositories."""

from delivery.sandbox.github.repository import create_repository
from delivery.sandbox.github.server import GitHubServer

__all__ = ["GitHubServer", "create_repository"]
