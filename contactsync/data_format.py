"""The form of the stored data: a number that rises when an earlier release cannot read what this one writes."""

from typing import Final

DATA_FORMAT: Final = 1
"""In the manifest of every release; `contactsync rollback` compares it."""
