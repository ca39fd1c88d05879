"""Durable delivery on a fresh moto."""

from tests.support.durable import durable

__all__ = ["durable"]
