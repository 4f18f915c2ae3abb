"""A deployment in which tests store items of every kind by the product's own adapters."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contactsync.bus.envelope import Announcement
from contactsync.contacts import ContactType
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    Decision,
    Halt,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    TypePlan,
    Verdict,
)
from contactsync.services.services import Services
from contactsync.sync.housekeeping import RunState
from contactsync.sync.report import Reporter
from tests.support.builders import operation
from tests.support.fakes.surroundings import START
from tests.support.stored.spoiling import Raw

SECURITY = ContactType.SECURITY


@dataclass(frozen=True, repr=False)
class Stored:
    """The services of a deployment, and names that no other kind has."""

    services: Services
    one: str
    two: str
    """Accounts of the organization."""

    @property
    def state(self) -> str:
        """The state table."""
        return self.services.settings.state.table

    def raw(self, table: str, key: Raw) -> Raw:
        """Return an item as it is stored."""
        return dict(self.services._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"])

    def items(self, table: str, pk: str) -> Iterator[Raw]:
        """Yield the items of a partition as they are stored."""
        answer: Any = self.services._dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        yield from answer["Items"]

    def operation(self, **parts: Any) -> SyncOperation:
        """Store an operation that has all that one may have, and return it."""
        plan = TypePlan(
            generation=1,
            absent=True,
            approved=True,
            fingerprints={"Name": "0f"},
            needs_approval=True,
            decision=Decision(Verdict.APPROVED, "airflow:admin", START),
            fingerprint="0f",
            expected=1,
        )
        made = replace(
            operation(SECURITY, run=str(uuid.uuid4())),
            plans={SECURITY: plan},
            reason="ticket 7",
            event_id="an event",
            note="A note.",
            counts={"success": 1},
            would_change={"security": 1},
            halt=Halt("TrustedAccessOff", "It is off.", START),
            follow_up=1,
            followed_by="a run",
            correlation_id="a cause",
            triggered_by="airflow:wanda",
            ends=1,
            rules_digest="0f",
            warnings=("One warning.",),
            unmatched=("One rule.",),
            **parts,
        )
        self.services.operations.store_plan(made, [])
        return made

    def outcomes(self, found: SyncOperation, *accounts: str, **parts: Any) -> list[AccountOutcome]:
        """Store outcomes that have all that one may have, and return them."""
        tried = Attempt(
            1, START, START, OutcomeStatus.SUCCESS, OutcomeDetail.UPDATED, "TooManyRequestsException", ("Name",), 2
        )
        made = [
            AccountOutcome(
                account_id,
                "a name",
                SECURITY,
                OutcomeStatus.SUCCESS,
                OutcomeDetail.UPDATED,
                changed_fields=("Name",),
                generation=1,
                error_code="TooManyRequestsException",
                error_message="A sentence.",
                attempts=(tried,),
                timestamp=START,
                paused_since=START,
                other_form=("PhoneNumber",),
                **parts,
            )
            for account_id in accounts
        ]
        self.services.operations.store_outcomes(found, made)
        return made

    def exported(self, form: Callable[..., Iterable[str]]) -> str:
        """Return the export of all operations."""
        queries, stored = self.services.operation_queries, self.services.stored_operations
        return "".join(form(queries.recent(), stored.outcomes))

    @property
    def reporter(self) -> Reporter:
        """The deployment's, which tells nobody."""
        second_look = replace(self.services.steps.second_look, source_reads=1, source_wait=0)
        return replace(self.services.steps.reporter, second_look=second_look, announcer=_Silent())

    def report(self, run: str) -> Any:
        """Report a run whose tasks have all ended well."""
        return self.reporter.report(run, {self.one: "success", self.two: "success"}, has_plan=True)

    def closing(self, run: str) -> object:
        """Close what is open of a run that Airflow no longer has, and leave the others."""
        housekeeper = replace(self.services.steps.housekeeper, reporter=self.reporter, announcer=_Silent())
        return housekeeper.close_abandoned(lambda name: None if name == run else RunState.RUNNING)


class _Silent:
    """Leaves announcements in the outbox: the sandbox would start a process for each."""

    def send(self, announcements: Sequence[Announcement]) -> None:
        """Do nothing."""
