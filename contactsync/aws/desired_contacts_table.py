"""The desired contacts' table: the only place where contact values are kept."""

from typing import TYPE_CHECKING, Any

from contactsync.aws.error_codes import translated
from contactsync.aws.items import from_item, read_one, to_item
from contactsync.contacts import ContactType, contact_class
from contactsync.sync.desired import DesiredContact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def desired_item(desired: DesiredContact) -> dict[str, Any]:
    """Return a desired contact's item; one without `contact` is a deletion."""
    return {
        "contact_type": desired.contact_type,
        "generation": desired.generation,
        "sync_id": desired.sync_id,
        "contact": desired.contact.verbatim() if desired.contact else None,
    }


class DynamoDbDesiredContacts:
    """Reads desired contacts; they are written in the plan's transaction (aws/state_table.py)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        """Take the table's name."""
        self._client = client
        self._table = table

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Return the desired contact of the greatest generation, read consistently."""
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item({"contact_type": contact_type}), ConsistentRead=True
            )
        if "Item" not in answer:
            return None
        item = from_item(answer["Item"])
        return read_one(item, lambda found: _desired(contact_type, found), self._table)


def _desired(contact_type: ContactType, item: dict[str, Any]) -> DesiredContact:
    try:
        contact = contact_class(contact_type).observed(item["contact"]) if "contact" in item else None
    except (KeyError, TypeError, ValueError, AttributeError):
        problem = "its contact has another form"  # what Python says of it could hold a contact value
        raise ValueError(problem) from None
    return DesiredContact(contact_type, item["generation"], item["sync_id"], contact)
