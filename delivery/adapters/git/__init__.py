"""git by argument lists: the content of commits, read from a bare mirror on this machine."""

from delivery.adapters.git.command import Git
from delivery.adapters.git.mirror import Mirror

__all__ = ["Git", "Mirror"]
