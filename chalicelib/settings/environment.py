"""Settings: read once from environment variables, all faults reported together.

This is the only module that reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from chalicelib.cloudtrail.catalog import DEFAULT_WATCH, EventGroup
from chalicelib.settings.fields import queue_name, read_watch
from chalicelib.settings.model import EnrichmentSettings, Settings, SettingsError
from chalicelib.settings.reader import SettingsReader


def read_settings(environ: Mapping[str, str], source: str = "environment") -> Settings:
    """The settings in these environment variables; ``source`` is what ``describe`` says they came from.

    Raises:
        SettingsError: some are faulty, or no destination is configured.
    """
    reader = SettingsReader(environ, source)
    settings = reader.read()
    if reader.faults:
        raise SettingsError(reader.faults, settings)
    return settings


def from_environment() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: some are faulty, or no destination is configured.
    """
    return read_settings(os.environ)


def function_name() -> str:
    """The Lambda function's name; ``local`` elsewhere."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")


def watched_groups(environ: Mapping[str, str] | None = None) -> tuple[EventGroup, ...]:
    """The groups of ``WATCH`` alone, which the app needs at import.

    In Lambda, where the EventBridge rule exists already, a fault here gives the default and is
    reported with all others when an event comes; failing at import would lose the alert.

    Raises:
        SettingsError: on the deploying machine, where ``WATCH`` is faulty.
    """
    environ = os.environ if environ is None else environ
    try:
        return read_watch(environ["WATCH"]) if "WATCH" in environ else DEFAULT_WATCH
    except ValueError as error:
        if "AWS_LAMBDA_FUNCTION_NAME" in environ:
            return DEFAULT_WATCH
        raise SettingsError([f"WATCH: {error}"], Settings()) from error


def state_table(environ: Mapping[str, str] | None = None) -> str | None:
    """The state table that is set, for who asks it on the command line."""
    return (os.environ if environ is None else environ).get("STATE_TABLE") or None


def delivery_queue(environ: Mapping[str, str] | None = None) -> str | None:
    """The name of the delivery queue, which the app needs at import; None where delivery is direct.

    A fault here is reported with all others when the settings are read.
    """
    environ = os.environ if environ is None else environ
    if not environ.get("DELIVERY_QUEUE") or not environ.get("STATE_TABLE"):
        return None
    try:
        return queue_name(environ["DELIVERY_QUEUE"].strip())
    except ValueError:
        return None


def enrichment_settings(environ: Mapping[str, str] | None = None) -> EnrichmentSettings:
    """How look-ups are made, whether or not they are on: for who asks for them on the command line.

    Raises:
        SettingsError: one of them is faulty.
    """
    reader = SettingsReader(os.environ if environ is None else environ, "environment")
    enrichment = reader.read_enrichment()
    if reader.faults:
        raise SettingsError(reader.faults, Settings(enrichment=enrichment))
    return enrichment
