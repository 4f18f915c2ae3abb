"""How the stored configuration is read."""

from typing import Protocol

from contactsync.configuration.schema import StoredConfiguration
from contactsync.configuration.versions import StoredVersion


class Configurations(Protocol):
    """The stored versions of the configuration."""

    def latest(self) -> StoredConfiguration:
        """Return the version in force; raise ConfigurationError when there is none or it is invalid."""

    def version(self, number: int) -> StoredConfiguration:
        """Return one version; raise ConfigurationError when it is missing or invalid."""


class StoredConfigurations(Configurations, Protocol):
    """The stored versions, also as they are stored: valid or not."""

    def newest(self) -> StoredVersion:
        """Return the version in force; raise ConfigurationMissingError when there is none."""

    def stored(self, number: int) -> StoredVersion:
        """Return one version; raise ConfigurationMissingError when there is none."""
