"""GitHub: commits and statuses by its API, content by git."""

from delivery.adapters.github.source import GitHubSource

__all__ = ["GitHubSource"]
