"""What a user may say about a restore."""

from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Whose configuration counts when a version differs."""

    BACKUP = "backup"
    TABLE = "table"


@dataclass(frozen=True)
class Wanted:
    """What the user allows."""

    into_existing: bool = False
    """Whether the tables may have items already."""
    configuration: Side | None = None
    """None: a version that differs is an error."""
    environment: str | None = None
    """The environment that the backup is of, if it is another one than this."""
