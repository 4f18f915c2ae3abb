"""The calls of Account Management that are paced and guarded, by AWS's names."""

from enum import StrEnum

from contactsync.contacts import ContactType


class ApiOperation(StrEnum):
    """The paced operations; AWS counts its quotas per caller, for each of them separately."""

    GET_ALTERNATE_CONTACT = "GetAlternateContact"
    GET_CONTACT_INFORMATION = "GetContactInformation"
    PUT_ALTERNATE_CONTACT = "PutAlternateContact"
    PUT_CONTACT_INFORMATION = "PutContactInformation"
    DELETE_ALTERNATE_CONTACT = "DeleteAlternateContact"


def read_of(contact_type: ContactType) -> ApiOperation:
    """Return the call that reads a contact of this type."""
    if contact_type is ContactType.PRIMARY:
        return ApiOperation.GET_CONTACT_INFORMATION
    return ApiOperation.GET_ALTERNATE_CONTACT


def write_of(contact_type: ContactType, *, deletes: bool) -> ApiOperation:
    """Return the call that replaces or deletes a contact of this type; the primary contact cannot be deleted."""
    if contact_type is ContactType.PRIMARY:
        return ApiOperation.PUT_CONTACT_INFORMATION
    return ApiOperation.DELETE_ALTERNATE_CONTACT if deletes else ApiOperation.PUT_ALTERNATE_CONTACT
