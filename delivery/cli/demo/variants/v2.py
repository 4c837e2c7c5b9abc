"""What the service does: a greeting and a checkout."""

PRICE = 5
SHIPPING = 2


def respond(path: str, query: dict[str, str]) -> dict[str, object] | None:
    """The answer to one request; None if there is no such page."""
    if path == "/":
        return {"service": "web", "message": "Hello from version 2"}
    if path == "/checkout":
        return checkout(int(query.get("items", "0")))
    return None


def checkout(items: int) -> dict[str, object]:
    """What that many items cost, shipping included."""
    shipping = SHIPPING if items else 0
    return {"items": items, "total": items * PRICE, "shipping": shipping}
