"""How a run's process comes to be: forked from one that has imported everything (docs/decisions/0002)."""
