"""What `contactsync doctor` looks at: this machine, and the deployment as its settings and credentials show it."""

import importlib.metadata
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from contactsync.aws.identity import identity
from contactsync.aws.sdk.clients import Clients
from contactsync.checks.keyboard import Identity, KnownSettings, Look, Machine
from contactsync.clock import SystemClock
from contactsync.errors import SettingsError
from contactsync.runs.runs import DAG_ID
from contactsync.services.services import Services
from contactsync.settings.settings import Settings

PRODUCT: Final = "contactsync"
NOBODY: Final = "contactsync-doctor"
"""An id that nothing has."""


class DeployedKeyboard:
    """This machine, and the deployment of its settings."""

    def __init__(self, environ: Mapping[str, str], settings: KnownSettings) -> None:
        self._environ = environ
        self.settings = settings

    @cached_property
    def machine(self) -> Machine:
        """What is installed."""
        root = Path(__file__).resolve().parents[2]
        return Machine(
            python=sys.version_info[:3],
            product=importlib.metadata.version(PRODUCT),
            clone=root if (root / "pyproject.toml").is_file() else None,
            requirements=importlib.metadata.requires(PRODUCT) or [],
            version_of=_version_of,
        )

    def region(self) -> str:
        """Return the region."""
        return self._clients.region

    def identity(self) -> Identity:
        """Ask STS."""
        return identity(self._clients, SystemClock())

    def looks(self) -> Iterator[Look]:
        """Return a read of each table, of the queues, of the topic and of Airflow, with commands' own adapters."""
        services = Services(Settings(self._environ))
        yield Look("configuration", lambda: f"Version {services.stored_configurations.latest().version} is valid.")
        yield Look("operations", lambda: _operations(services))
        yield Look("desired-contacts", lambda: _desired(services))
        yield Look("audit-trail", lambda: _audit_trail(services))
        yield Look("events-topic", lambda: f"The topic has {services.count_subscriptions()} subscriptions.")
        yield Look("dead-letters", lambda: _dead_letters(services))
        yield Look("airflow", lambda: _airflow(services), needs_aws=not _is_at_address(services))

    @cached_property
    def _clients(self) -> Clients:
        calls = Settings(self._environ).calls
        return Clients(management_role=None, connect_timeout=calls.connect_timeout, read_timeout=calls.read_timeout)


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _operations(services: Services) -> str:
    newest = next(services.operation_queries.recent(limit=1), None)
    return f"The newest one is of {newest.timestamp:%Y-%m-%d %H:%M} UTC." if newest else "There is none yet."


def _desired(services: Services) -> str:
    types = sorted(version.contact_type for version in services.desired_versions.every())
    return f"There are those of {', '.join(types)}." if types else "There are none yet."


def _audit_trail(services: Services) -> str:
    list(services.audit_trail.correlated(NOBODY, limit=1))
    return "It can be read."


def _dead_letters(services: Services) -> str:
    services.failures.find(NOBODY, NOBODY)
    queues = services.dead_letter_queues
    return f"{', '.join(f'{name} {queues.counts(name).waiting}' for name in queues.names)}."


def _is_at_address(services: Services) -> bool:
    try:
        return services.settings.airflow.url is not None
    except SettingsError:
        return False


def _airflow(services: Services) -> str:
    where = services.settings.airflow.url or f"MWAA's environment {services.settings.trigger.mwaa_environment}"
    paused = services.airflow.call("GET", f"/dags/{DAG_ID}")["is_paused"]
    return f"{where} answers; the DAG {DAG_ID} is {'paused' if paused else 'active'}."
