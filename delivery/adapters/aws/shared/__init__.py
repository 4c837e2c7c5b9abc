"""Looks at AWS that the workers of one machine share, so that a hundred environments ask like a few.

See `docs/decisions/0007-shared-looks.md`.
"""

from delivery.adapters.aws.shared.reader import Answer, SharedReads
from delivery.adapters.aws.shared.store import Store

__all__ = ["Answer", "SharedReads", "Store"]
