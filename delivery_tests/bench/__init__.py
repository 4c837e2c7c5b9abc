"""Benchmarks: figures and ratios, printed as tables. Nothing here asserts a time."""
