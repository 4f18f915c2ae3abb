"""The adapter for contacts in AWS Account Management (`account`, 2021-02-01)."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contactsync.aws.sdk.error_codes import NOT_FOUND, code_of, translated
from contactsync.contacts import AlternateContact, Contact, ContactType, PrimaryContact
from contactsync.errors import SentTooLateError, UnexpectedAwsError

if TYPE_CHECKING:
    from mypy_boto3_account import AccountClient


class _TooLateError(BotoCoreError):
    """Raised when a request would be sent too late; never leaves this module."""


class AccountManagementContacts:
    """The contacts of accounts, one call for each method; the client must make one attempt per call."""

    def __init__(
        self,
        client: "AccountClient",
        *,
        send_within: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a client that acts in the management account.

        A write that is not sent within `send_within` seconds, because credentials had to be renewed first, is not sent
        at all: by then other tasks assume that the announced call was never made.
        """
        self._client = client
        self._send_within = send_within
        self._monotonic = monotonic
        self._begun = math.inf
        client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}", self._check_time)

    def read(self, contact_type: ContactType, account_id: str | None) -> Contact | None:
        """Return the contact; ResourceNotFoundException is AWS's normal answer when there is none."""
        if contact_type is ContactType.PRIMARY:
            answer = self._call("get_contact_information", account_id, may_be_absent=True)
            return PrimaryContact.observed(answer["ContactInformation"]) if answer else None
        kind = contact_type.upper()
        answer = self._call("get_alternate_contact", account_id, may_be_absent=True, AlternateContactType=kind)
        return AlternateContact.observed(answer["AlternateContact"]) if answer else None

    def write(self, contact_type: ContactType, account_id: str, contact: Contact) -> None:
        """Replace the contact; optional fields that it does not have are removed in the account."""
        if contact_type is ContactType.PRIMARY:
            self._call("put_contact_information", account_id, ContactInformation=contact.verbatim())
        else:
            kind = contact_type.upper()
            parameters: Any = contact.verbatim()
            self._call("put_alternate_contact", account_id, AlternateContactType=kind, **parameters)

    def delete(self, contact_type: ContactType, account_id: str) -> None:
        """Delete an alternate contact; AWS answers the second delete with ResourceNotFoundException."""
        kind = contact_type.upper()
        self._call("delete_alternate_contact", account_id, may_be_absent=True, AlternateContactType=kind)

    def _call(self, method: str, account_id: str | None, *, may_be_absent: bool = False, **parameters: Any) -> Any:  # noqa: ANN401 -- one shape per operation
        """Call for a member account, or for the caller's own, for which AccountId has to be left out."""
        operation = self._client.meta.method_to_api_mapping[method]
        target = {"AccountId": account_id} if account_id else {}
        self._begun = math.inf if method.startswith("get_") else self._monotonic()
        with translated(operation, account_id):
            try:
                return getattr(self._client, method)(**target, **parameters)
            except _TooLateError:
                # Nothing was sent. That is as good as an answer: no call can be on its way.
                raise SentTooLateError(operation, "SentTooLate", account_id, answered=True) from None
            except ClientError as error:
                if code_of(error) != NOT_FOUND:
                    raise
                if may_be_absent:
                    return None
                raise UnexpectedAwsError(api_operation=operation, aws_code=NOT_FOUND, account_id=account_id) from None

    def _check_time(self, **_: Any) -> None:  # noqa: ANN401 -- botocore's own keywords
        """Keep a request from being sent too late; botocore calls this just before it sends."""
        if self._monotonic() - self._begun > self._send_within:
            raise _TooLateError
