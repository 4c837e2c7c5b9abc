"""What the service does: a greeting and a checkout."""

import itertools

PRICE = 5
SHIPPING = 2

_poisoned: list[str] = []
_requests = itertools.count()


def respond(path: str, query: dict[str, str]) -> dict[str, object] | None:
    """The answer to one request; None if there is no such page."""
    if path == "/poison":
        # A query of death: what it leaves in memory breaks later requests of others.
        _poisoned.append(path)
        return {"service": "web", "message": "thank you"}
    if _poisoned and next(_requests) % 2:
        raise RuntimeError(f"the cache holds what {_poisoned[0]} left in it")
    if path == "/":
        return {"service": "web", "message": "Hello from version 4"}
    if path == "/checkout":
        return checkout(int(query.get("items", "0")))
    return None


def checkout(items: int) -> dict[str, object]:
    """What that many items cost, shipping included."""
    shipping = SHIPPING if items else 0
    return {"items": items, "total": items * PRICE, "shipping": shipping}
