"""Measures the project by ratios: run ``python -m benchmarks``."""
