"""The table of desired contacts: the only place where contact values are stored."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.dynamodb.attributes import Attributes, flag, mapped, one_of, text
from contactsync.aws.dynamodb.codec import Codec
from contactsync.aws.dynamodb.items import WrongAttributeError, from_item, read_one, to_item
from contactsync.aws.sdk.error_codes import translated
from contactsync.contacts import Contact, ContactType, contact_class, field_names
from contactsync.operations.desired import DesiredContact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DESIRED: Final = Codec(DesiredContact, apart=["contact"])


def desired_item(desired: DesiredContact) -> dict[str, Any]:
    """Return a desired contact's item; without `contact` it is a deletion, which the item then says."""
    return {
        **DESIRED.to_map(desired),
        "contact": desired.contact.verbatim() if desired.contact else None,
        "deletion": desired.contact is None,
    }


class DynamoDbDesiredContacts:
    """The stored desired contacts, for reading; the plan's transaction writes them (aws/operations/state_table.py)."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def latest(self, contact_type: ContactType) -> DesiredContact | None:
        """Return the desired contact with the greatest generation, read consistently."""
        with translated("GetItem"):
            answer = self._client.get_item(
                TableName=self._table, Key=to_item({"contact_type": contact_type}), ConsistentRead=True
            )
        if "Item" not in answer:
            return None
        return read_one(from_item(answer["Item"]), desired_from, self._table)


def desired_from(item: Mapping[str, Any]) -> DesiredContact:
    """Read what `desired_item` wrote.

    An item that lost its contact is not a deletion, except an old item from before items said whether they are one.
    """
    stored = Attributes(item)
    contact_type = stored.required("contact_type", one_of(ContactType))
    contact = stored.optional("contact", lambda value: _contact(contact_type, value))
    if stored.optional("deletion", flag, default=contact is None) is not (contact is None):
        problem = "says something else than whether there is a contact"
        raise WrongAttributeError(problem, place="deletion")
    return DESIRED.read(stored, contact=contact)


def _contact(contact_type: ContactType, value: object) -> Contact:
    """Read texts under AWS's names only; AWS decides which of them belong together, as its limits change."""
    try:
        values = mapped(text)(value)
    except WrongAttributeError:
        values = {}
    # Do not quote the path: a name in it could be a contact value.
    if not values or not values.keys() <= set(field_names(contact_type)):
        problem = "has another form"
        raise WrongAttributeError(problem)
    return contact_class(contact_type).observed(values)
