"""Items of our tables that cannot be read."""

from dataclasses import dataclass

from contactsync.errors.remedies import Remedy, RemedyStep
from contactsync.errors.root import ContactSyncError


@dataclass(eq=False)
class ItemUnreadableError(ContactSyncError):
    """A stored item was written by another version of contactsync, or by hand."""

    table: str
    item: str
    """The item's key."""
    problem: str
    remedy = Remedy(
        "An item of a table was stored by another version of contactsync, or by hand.",
        (
            RemedyStep(
                "Update contactsync. If contactsync did not store the item that the sentence above names, delete "
                "that item."
            ),
        ),
    )

    @property
    def message(self) -> str:
        """What happened, and what to do next."""
        return (
            f"This version cannot read an item of table {self.table}: {self.item} ({self.problem}). Update "
            "contactsync; if contactsync did not store the item, delete it."
        )
