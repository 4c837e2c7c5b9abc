"""What the service answers."""

from app.behaviour import PRICE, checkout, respond


def test_the_home_page_greets():
    """The home page names the service."""
    answer = respond("/", {})
    assert answer is not None and answer["service"] == "web"
    assert str(answer["message"]).startswith("Hello")


def test_two_items_cost_twice_the_price():
    """The total is counted from the items."""
    assert checkout(2)["total"] == 2 * PRICE
    assert respond("/checkout", {"items": "2"}) == checkout(2)


def test_other_pages_do_not_exist():
    """What is not a page is None."""
    assert respond("/nowhere", {}) is None
