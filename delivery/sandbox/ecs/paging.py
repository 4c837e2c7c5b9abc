"""Pages of ECS's List operations: at most a hundred, and a token for what comes after."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from moto.ecs.exceptions import InvalidParameterException

#: Items per page at most, and tasks per call of DescribeTasks.
PAGE = 100


def page(items: list[str], size: Any, token: str | None) -> tuple[list[str], str | None]:
    """One page of a list, and the token of the next one. A token names the last item that was given.

    `size` is the request's maxResults. InvalidParameterException for a size or token that cannot be.
    """
    limit = PAGE if size is None else int(size)
    if not 1 <= limit <= PAGE:
        raise InvalidParameterException(f"maxResults must be between 1 and {PAGE}.")
    start = 0
    if token:
        try:
            start = items.index(base64.urlsafe_b64decode(token.encode()).decode()) + 1
        except (ValueError, binascii.Error):
            raise InvalidParameterException("Invalid token.") from None
    chosen = items[start : start + limit]
    more = start + limit < len(items)
    return chosen, base64.urlsafe_b64encode(chosen[-1].encode()).decode() if more else None
