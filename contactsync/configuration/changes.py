"""Changes of the configuration: stored with optimistic locking, and announced on the bus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.clock import Clock
from contactsync.configuration.schema import Configuration, StoredConfiguration
from contactsync.configuration.size import check_size
from contactsync.configuration.versions import StoredVersion, differences
from contactsync.errors import ConfigurationMissingError
from contactsync.operations.ports import Announcer


class ConfigurationVersions(Protocol):
    """The stored versions of one configuration."""

    config_key: str

    def stored(self, number: int) -> StoredVersion:
        """Return one version, valid or not; raise ConfigurationMissingError when there is none."""

    def store(
        self,
        configuration: Configuration,
        *,
        after_version: int,
        changed_by: str,
        reason: str | None = None,
        announced: Sequence[Announcement] = (),
    ) -> StoredConfiguration:
        """Store the next version, and the announcements in the same transaction.

        Raises ConfigurationConflictError when `after_version` is no longer the latest version.
        """


@dataclass(frozen=True)
class ConfigurationChanges:
    """The step that stores new versions of the configuration."""

    versions: ConfigurationVersions
    announcer: Announcer
    clock: Clock

    def store(
        self, configuration: Configuration, *, after_version: int, changed_by: str, reason: str | None = None
    ) -> StoredConfiguration:
        """Store the next version and announce it with the names of the keys that changed, without their values.

        Raises ConfigurationConflictError when `after_version` is no longer the latest version; 0 means that there is
        none. Raises ConfigurationTooLargeError before anything is sent.
        """
        check_size(configuration)
        data = ConfigurationChanged(
            config_key=self.versions.config_key,
            version=after_version + 1,
            changed_by=changed_by,
            reason=reason,
            changed_keys=self._changed_keys(configuration, after_version),
        )
        key = f"{data.config_key}#{data.version}"
        announced = [announcement(data, about=key, subject=data.config_key, correlation_id=key, time=self.clock.now())]
        stored = self.versions.store(
            configuration, after_version=after_version, changed_by=changed_by, reason=reason, announced=announced
        )
        self.announcer.send(announced)
        return stored

    def _changed_keys(self, configuration: Configuration, after_version: int) -> tuple[str, ...]:
        try:
            before = self.versions.stored(after_version).effective if after_version else {}
        except ConfigurationMissingError:  # storing reports this as a conflict
            before = {}
        paths = (difference.path for difference in differences(before, configuration.model_dump(mode="json")))
        return tuple(dict.fromkeys(path.partition(".")[0] for path in paths))
