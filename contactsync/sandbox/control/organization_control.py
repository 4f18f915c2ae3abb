"""The control API's routes for the organization: its status, the states of accounts, trusted access."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, get_args

from contactsync.sandbox.control.control import Control, ControlError, Query, Reply
from contactsync.sandbox.loop.loop import Loop
from contactsync.sandbox.organization.organization import OrganizationState, UnknownAccountError
from contactsync.sandbox.scenario.scenario import AccountState, Scenario, StaleReads
from contactsync.sandbox.stacks.templates import Stack


class Running(Protocol):
    """The parts of a sandbox that the routes use."""

    scenario: Scenario
    loop: Loop
    stacks: list[Stack]

    @property
    def endpoint_url(self) -> str:
        """The URL for AWS clients."""

    @property
    def organization(self) -> OrganizationState:
        """The organization as it is now."""


def offer_organization(control: Control, sandbox: Running) -> None:
    """Offer the status, the organization, and changes of its state."""
    routes = _OrganizationRoutes(sandbox)
    control.route("GET", "/status", routes.status)
    control.route("GET", "/organization", routes.organization)
    control.route("PUT", "/accounts/{id}/state", routes.change_state)
    control.route("PUT", "/trusted-access", routes.change_trusted_access)
    control.route("PUT", "/stale-reads", routes.change_stale_reads)


class _OrganizationRoutes:
    def __init__(self, sandbox: Running) -> None:
        self._sandbox = sandbox

    def status(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        sandbox, organization = self._sandbox, self._sandbox.organization
        accounts = organization.accounts()
        return 200, {
            "status": "ok",
            "endpoint_url": sandbox.endpoint_url,
            "management_account": organization.management_account,
            "organization": organization.organization_id,
            "account_ids": [account["id"] for account in accounts],
            "states": dict(Counter(account["state"] for account in accounts)),
            "trusted_access": organization.trusted_access,
            "scenario": _summary(sandbox.scenario),
            "stacks": _stacks(sandbox.stacks),
            "airflow": [environment.environment for environment in sandbox.loop.mwaa.registered()],
        }

    def organization(self, _: Mapping[str, str], __: Query, ___: object) -> Reply:
        organization = self._sandbox.organization
        return 200, {
            "id": organization.organization_id,
            "management_account": organization.management_account,
            "trusted_access": organization.trusted_access,
            "delegated_administrators": organization.delegated_administrators,
            "accounts": organization.accounts(),
        }

    def change_state(self, groups: Mapping[str, str], _: Query, body: object) -> Reply:
        state = body.get("state") if isinstance(body, Mapping) else None
        if not isinstance(state, str) or state not in get_args(AccountState):
            raise ControlError(400, f"state is one of {', '.join(get_args(AccountState))}.")
        try:
            self._sandbox.organization.set_state(groups["id"], state)
        except UnknownAccountError as error:
            raise ControlError(404, f"There is no account {groups['id']} in the organization.") from error
        except ValueError as error:
            raise ControlError(400, f"The state cannot be changed: {error}.") from error
        return 200, {"id": groups["id"], "state": state}

    def change_trusted_access(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        enabled = body.get("enabled") if isinstance(body, Mapping) else None
        if not isinstance(enabled, bool):
            raise ControlError(400, 'The body is {"enabled": true} or {"enabled": false}.')
        self._sandbox.organization.trusted_access = enabled
        return 200, {"enabled": self._sandbox.organization.trusted_access}

    def change_stale_reads(self, _: Mapping[str, str], __: Query, body: object) -> Reply:
        wanted, contacts = StaleReads.model_validate(body), self._sandbox.organization.contacts
        contacts.stale_seconds, contacts.stale_account = wanted.seconds, wanted.account
        return 200, wanted.model_dump()


def _summary(scenario: Scenario) -> dict[str, Any]:
    organization = scenario.organization
    return {
        "members": organization.accounts + sum(member.id is not None for member in organization.members),
        "quotas": scenario.quotas.preset if scenario.quotas.enabled else "off",
        "faults": len(scenario.faults),
        "stale_reads": scenario.stale_reads.seconds,
        "events": scenario.events.model_dump(),
    }


def _stacks(stacks: Sequence[Stack]) -> list[dict[str, Any]]:
    return [{"name": stack.name, "template": stack.template, "outputs": dict(stack.outputs)} for stack in stacks]
