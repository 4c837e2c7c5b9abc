"""What the service does: a greeting and a checkout."""

PRICE = 5


def respond(path: str, query: dict[str, str]) -> dict[str, object] | None:
    """The answer to one request; None if there is no such page."""
    if path == "/":
        return {"service": "web", "message": "Hello from version 1"}
    if path == "/checkout":
        return checkout(int(query.get("items", "0")))
    return None


def checkout(items: int) -> dict[str, object]:
    """What that many items cost."""
    return {"items": items, "total": items * PRICE}
