"""Principals: who made a recorded call, in the characters that a principal can have.

Standard library only: the trigger function imports this module. The forms are those of CloudTrail's userIdentity
element (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html).
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from contactsync.intake.call_parameters import is_redacted
from contactsync.limits import PRINCIPAL_LETTERS

PRINCIPAL_LENGTH: Final = 512

_PRINCIPAL: Final = re.compile(PRINCIPAL_LETTERS, re.ASCII)

CALLERS_IN_THE_ACCOUNT: Final = ("Root", "IAMUser", "AssumedRole", "Role", "FederatedUser")
"""The forms whose `accountId` is the account in which the caller acts.

In other forms it says nothing about the target: for IdentityCenterUser it is the account of the Identity Center
instance, for AWSAccount the other account.
"""


def principal_text(name: str) -> str:
    """Return a name in a principal's characters; any other one becomes `%XX`, so that two names stay different."""
    return quote(name[:PRINCIPAL_LENGTH], safe="+=,.@_/:-", errors="replace").replace("~", "%7E")[:PRINCIPAL_LENGTH]


def is_principal(text: str) -> bool:
    """Return whether a text can be a result of `principal_text`."""
    return _PRINCIPAL.fullmatch(text) is not None


def name_of(identity: Mapping[object, object]) -> str | None:
    """Return the caller's ARN, or the best name that the identity's form has; None when it has no name."""
    # IAM Identity Center's form has no ARN of the person, only the person for whom the call was made.
    person = identity.get("onBehalfOf")
    person_id = person.get("userId") if isinstance(person, Mapping) else None
    names = (
        *map(identity.get, ("arn", "invokedBy", "principalId")),
        person_id,
        *map(identity.get, ("userName", "credentialId", "accountId", "type")),
    )
    known = [name for name in names if isinstance(name, str) and not is_redacted(name)]
    return principal_text(known[0]) if known else None


def short_name(principal: str) -> str:
    """Return a principal without the parts that all ARNs have, such as `user/wanda`."""
    return principal.split(":", 5)[5] if principal.startswith("arn:") and principal.count(":") >= 5 else principal  # noqa: PLR2004 -- an ARN has six parts
