"""The policies of the roles that moto's IAM has, inline and attached, as they are at this moment."""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from moto.iam.models import iam_backends

from contactsync.sandbox.access.policies import Rights, Statement, parsed

Document = tuple[str, object]
"""The name of a policy, and its document in the form in which moto has it."""

_SESSION: Final = re.compile(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([^/]+)/.+", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Role:
    """A role of an account."""

    partition: str
    account: str
    name: str


@lru_cache(maxsize=4096)
def role_of(caller_arn: str) -> Role | None:
    """Return the role whose session this is; None for users and for the root."""
    match = _SESSION.fullmatch(caller_arn)
    return Role(match[1], match[2], match[3]) if match else None


class RoleRights:
    """The rights of moto's roles; they are read again when a policy has changed."""

    def __init__(self) -> None:
        self._known: dict[Role, tuple[list[Document], Rights]] = {}

    def of(self, role: Role) -> Rights | None:
        """Return a role's rights; None when IAM has no such role, and raise PolicyError for a bad policy.

        moto lets everybody assume a role that is not there: that is how people and tests act in a member account.
        """
        documents = _documents(role)
        if documents is None:
            return None
        known = self._known.get(role)
        if known and len(known[0]) == len(documents) and all(map(_same, known[0], documents)):
            return known[1]
        rights = Rights(statement for name, document in documents for statement in parsed(name, _text(document)))
        self._known[role] = documents, rights
        return rights


def statements_of_role(role: Role) -> tuple[Statement, ...] | None:
    """Return all statements of a role's policies; None when IAM has no such role."""
    rights = RoleRights().of(role)
    return None if rights is None else rights.statements


def _documents(role: Role) -> "list[Document] | None":
    """Return the names and documents of the policies, inline and attached, as moto keeps them."""
    found = _moto_role(role)
    if found is None:
        return None
    documents: list[Document] = list(found.policies.items())
    return documents + [(policy.name, _in_force(policy)) for policy in list(found.managed_policies.values())]


def _same(one: Document, other: Document) -> bool:
    return one[0] == other[0] and one[1] is other[1]


def _moto_role(role: Role) -> Any:  # noqa: ANN401 - moto is untyped
    if role.account not in iam_backends:
        return None
    roles = iam_backends[role.account][role.partition].roles
    return next((one for one in list(roles.values()) if one.name == role.name), None)


def _in_force(policy: Any) -> object:  # noqa: ANN401 - moto is untyped
    """Return the default version of a managed policy."""
    return next(one.document for one in policy.versions if one.version_id == policy.default_version_id)


def _text(document: object) -> str:
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)
