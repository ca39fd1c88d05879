"""Benchmarks: speed and memory as ratios."""
