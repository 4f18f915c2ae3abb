"""What stands before every call: the session of a role may do what the role's policies allow, and nothing else.

People and tests use the sandbox with keys that belong to no role, and may do everything.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.dynamodb.models import dynamodb_backends

from contactsync.sandbox.access.needs import Surroundings, needs_afterwards, needs_of
from contactsync.sandbox.access.policies import Need, PolicyError, Rights
from contactsync.sandbox.access.refusals import refusal_of
from contactsync.sandbox.access.role_policies import Role, RoleRights, role_of
from contactsync.sandbox.requests.authorization import Refusal
from contactsync.sandbox.requests.callers import Caller
from contactsync.sandbox.requests.wire import WireCall

logger = logging.getLogger(__name__)


class RolePolicies:
    """The policies of the sandbox's roles, asked for each call of their sessions."""

    def __init__(self, management_account: str, organization_id: Callable[[], str]) -> None:
        """Take the parts of ARNs; the organization is there once the sandbox runs."""
        self._management_account, self._organization_id = management_account, organization_id
        self._rights = RoleRights()

    def refusal(self, call: WireCall, caller: Caller) -> Refusal | None:
        """Return the error of a call that needs what no policy of its role allows."""
        return self._refusal(call, caller, lambda: needs_of(call, caller.account, self.surroundings()))

    def refusal_afterwards(self, call: WireCall, caller: Caller, error_code: str | None) -> Refusal | None:
        """Return the error that hides the answer of a call from a caller who may not learn of it."""
        return self._refusal(
            call, caller, lambda: needs_afterwards(call, error_code, caller.account, self.surroundings())
        )

    def surroundings(self) -> Surroundings:
        """Return what the ARNs of requests need."""
        return Surroundings(self._management_account, self._organization_id(), hash_key)

    def _refusal(self, call: WireCall, caller: Caller, needs: Callable[[], Iterable[Need]]) -> Refusal | None:
        role = role_of(caller.arn)
        rights = self._rights_of(role) if role else None
        if rights is None:
            return None
        for need in needs():
            decision = rights.decide(need)
            if not decision.allowed:
                return refusal_of(call.service, caller.arn, need, decision)
        return None

    def _rights_of(self, role: Role) -> Rights | None:
        try:
            return self._rights.of(role)
        except PolicyError as error:
            logger.error("The sandbox cannot read a policy of %s, so it may do nothing: %s", role.name, error)  # noqa: TRY400 -- the message says all
            return Rights(())


def hash_key(account: str, region: str, table: str, index: str | None) -> str | None:
    """Return the name of the partition key of a table of moto, or of one of its indexes."""
    found = dynamodb_backends[account][region].tables.get(table) if account in dynamodb_backends else None
    if found is None or index is None:
        return None if found is None else str(found.hash_key_attr)
    indexes: list[Any] = [*found.global_indexes, *found.indexes]
    schema: list[dict[str, Any]] = next((one.schema for one in indexes if one.name == index), [])
    return next((str(key["AttributeName"]) for key in schema if key["KeyType"] == "HASH"), None)
