"""Use cases: what happens in which order, over the pure rules of `core` and the ports."""
