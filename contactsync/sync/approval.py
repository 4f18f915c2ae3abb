"""Approval of deletions: the question to a person before contacts are deleted, and what follows from the answer."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from contactsync.account_management.api_operations import read_of
from contactsync.clock import Clock
from contactsync.configuration.ports import Configurations
from contactsync.contacts import ContactType
from contactsync.errors import AnswerOvertakenError, OperationMissingError
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import Decision, SyncOperation, TypePlan, Verdict, sync_id_of
from contactsync.operations.ports import Operations
from contactsync.pacing.guarded_calls import CallGuard
from contactsync.plain_text import markdown_code, one_line
from contactsync.sync.ports import AccountContacts

_NOTES: Final = {
    Verdict.APPROVED: "{by} approved the deletion of the {types} contact.",
    Verdict.REJECTED: "{by} rejected the deletion of the {types} contact, so it was not deleted in any account.",
    Verdict.TIMED_OUT: (
        "Nobody approved the deletion of the {types} contact in time, so it was not deleted in any account."
    ),
    Verdict.NOT_ASKED: (
        "Nobody was asked about the deletion of the {types} contact, because it now concerns other accounts than the "
        "question that Airflow keeps for this run. So the contact was not deleted in any account. To be asked, start "
        "a run by hand."
    ),
    Verdict.WITHDRAWN: (
        "The {types} contact of the management account is there again, so it was not deleted in any account."
    ),
}


_ALL: Final = "all"

LISTED: Final = 10
"""How many accounts a question names; the operation lists all of them."""

NAME_LENGTH: Final = 64
"""Characters of an account's name that a question shows at most."""

_BODY: Final = """\
The management account {account} no longer has the {types} contact. Sync operation `{sync_id}`, started by {who},
would delete it in the member accounts too:

| contact type | accounts that may be touched |
|---|---|
{rows}

{listed}**Approve** deletes the contact in these accounts. **Reject** deletes nothing.
Without an answer within {time}{until}, nothing is deleted. If the management account has the contact again when you
approve, nothing is deleted either. To undo a deletion later, put the contact in the management account again:
contactsync copies it to all accounts.
"""


@dataclass(frozen=True)
class ApprovalRequest:
    """The deletions of one operation that a person has to approve, with the subject and body that Airflow shows."""

    operation: SyncOperation
    accounts: Mapping[ContactType, int]
    """Number of accounts that each deletion may touch."""
    at_most: int
    """Number of different accounts in all of them."""
    timeout: float
    """Seconds to wait for an answer; without one nothing is deleted."""
    asked: datetime | None = None
    """When the question was asked first."""
    first: Sequence[tuple[str, str]] = ()
    """Ids and names of the first accounts."""
    digests: Mapping[ContactType, str] = field(default_factory=dict)
    """For each deletion a digest of its account ids, which shows whether another plan concerns the same accounts."""

    @property
    def subject(self) -> str:
        """The question in one line."""
        return f"Delete the {', '.join(self.accounts)} contact in up to {_counted(self.at_most)}?"

    @property
    def extent(self) -> dict[str, int]:
        """How many accounts each deletion, and all of them together, may touch, as JSON."""
        return {**{str(contact_type): number for contact_type, number in self.accounts.items()}, _ALL: self.at_most}

    @property
    def question(self) -> dict[str, Any]:
        """What is stored about the question while it is on the screen, as JSON."""
        return {
            "planned": self.operation.planned.isoformat(),
            "extent": self.extent,
            "accounts": {str(contact_type): digest for contact_type, digest in self.digests.items()},
        }

    @property
    def body(self) -> str:
        """The text that a person needs to decide, as Markdown; no contact value."""
        return _BODY.format(
            account=self.operation.source_account,
            types=", ".join(self.accounts),
            sync_id=self.operation.sync_id,
            who=markdown_code(self.operation.initiating_user),
            listed=f"Accounts: {self._listed(markdown_code)}.\n\n" if self.first else "",
            until=f" (until {self.until})" if self.until else "",
            rows="\n".join(f"| {contact_type} | {number} |" for contact_type, number in self.accounts.items()),
            time=_duration(self.timeout),
        )

    @property
    def until(self) -> str:
        """The time in UTC by which to answer; empty when it is not known."""
        if self.asked is None:
            return ""
        return f"{(self.asked + timedelta(seconds=self.timeout)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def sentences(self) -> str:
        """The question as plain text, for a notice."""
        accounts = self._listed(lambda name: one_line(name, NAME_LENGTH))
        return (
            f"Answer by {self.until or _duration(self.timeout)}: without an answer nothing is deleted. Accounts: "
            f"{accounts}. To undo a deletion, put the contact in the management account again."
        )

    def _listed(self, shown: Callable[[str], str]) -> str:
        names = ", ".join(f"{shown(one_line(name, NAME_LENGTH))} ({account_id})" for account_id, name in self.first)
        left = self.at_most - len(self.first)
        return f"{names} and {left} more" if left else names


@dataclass(frozen=True)
class Approvals:
    """The step that asks for approval of deletions and records the decision."""

    contacts: AccountContacts
    configurations: Configurations
    operations: Operations
    call_guard: CallGuard
    clock: Clock

    def ask(
        self, dag_run_id: str, *, shown: Mapping[str, int] | None = None, accounts: Mapping[str, str] | None = None
    ) -> ApprovalRequest | None:
        """Return what a person has to approve, or None when there is nothing, or when nobody can be asked.

        An earlier decision about the same plan is void from now on: whoever clears the approval wants to be asked
        again. If a question is on the screen already, it cannot be changed: `shown` is its extent, and `accounts` are
        the digests of the accounts that it counted. A deletion of more or other accounts is not approved by an answer
        to it.
        """
        operation = self._undecided(self._operation(dag_run_id))
        plans = _awaiting(operation)
        touched, names = self._touched(operation, plans) if plans else ({}, {})
        if not touched:
            return None
        per_type = {t: [account_id for account_id, types in touched.items() if t in types] for t in plans}
        configuration = self.configurations.version(operation.config_version).configuration
        request = ApprovalRequest(
            operation,
            accounts={t: len(account_ids) for t, account_ids in per_type.items()},
            at_most=len(touched),
            timeout=configuration.deletion.approval_timeout,
            asked=self.clock.now(),
            first=sorted(names.items(), key=lambda account: (account[1], account[0]))[:LISTED],
            digests={t: _digest(account_ids) for t, account_ids in per_type.items()},
        )
        if not _covers(shown, accounts, request):
            self.decide(dag_run_id, Verdict.NOT_ASKED, planned=operation.planned, by="", at=self.clock.now())
            return None
        return request

    def decide(self, dag_run_id: str, verdict: Verdict, *, planned: datetime, by: str, at: datetime) -> SyncOperation:
        """Store the verdict on each deletion; an approved one becomes the desired contact, unless a later plan has one.

        `planned` is the time of the plan that the question was about; an answer about another plan raises
        AnswerOvertakenError. A contact that somebody has put back since is not deleted: the approval of its deletion is
        withdrawn. Repeating it is harmless. If reading the management account fails, that error is raised and nothing
        is stored.
        """
        operation = self._operation(dag_run_id)
        if operation.planned != planned:
            raise AnswerOvertakenError(item=f"Run {dag_run_id}")
        verdicts = dict.fromkeys(_awaiting(operation), verdict)
        if verdict is Verdict.APPROVED:
            verdicts = {t: Verdict.WITHDRAWN if there else verdict for t, there in self._restored(operation)}
        plans = {
            t: replace(operation.plans[t], approved=given is Verdict.APPROVED, decision=Decision(given, by, at))
            for t, given in verdicts.items()
        }
        decided = replace(operation, plans={**operation.plans, **plans}, note=_note(verdicts, by))
        self.operations.decide(decided, list(_deletions(decided, plans)))
        return decided

    def _undecided(self, operation: SyncOperation) -> SyncOperation:
        decided = {t: plan for t, plan in _awaiting(operation).items() if plan.decision}
        if not decided:
            return operation
        undecided = {t: replace(plan, approved=False, decision=None) for t, plan in decided.items()}
        operation = replace(operation, plans={**operation.plans, **undecided}, note=None)
        self.operations.decide(operation, [])
        return operation

    def _operation(self, dag_run_id: str) -> SyncOperation:
        operation = self.operations.get(sync_id_of(dag_run_id))
        if operation is None:
            raise OperationMissingError(dag_run_id=dag_run_id)
        return operation

    def _touched(
        self, operation: SyncOperation, plans: Mapping[ContactType, TypePlan]
    ) -> tuple[dict[str, list[ContactType]], dict[str, str]]:
        """Return for each account the contact types to delete, without those that the plan ruled out; and the names."""
        touched: dict[str, list[ContactType]] = {}
        names: dict[str, str] = {}
        for outcome in self.operations.outcomes(operation.sync_id):
            left_alone = outcome.is_substitute or outcome.is_ruled_out(operation.planned)
            if outcome.contact_type in plans and not left_alone:
                touched.setdefault(outcome.account_id, []).append(outcome.contact_type)
                names[outcome.account_id] = outcome.account_name
        return touched, names

    def _restored(self, operation: SyncOperation) -> Iterator[tuple[ContactType, bool]]:
        """Read the source once more, and yield for each deletion whether the contact exists again."""
        with self.call_guard.guarded_calls(
            self.configurations.version(operation.config_version).configuration
        ) as guarded:
            for contact_type in _awaiting(operation):
                source = guarded.call(read_of(contact_type), partial(self.contacts.read, contact_type, None))
                yield contact_type, source is not None


def _awaiting(operation: SyncOperation) -> dict[ContactType, TypePlan]:
    return {t: plan for t, plan in operation.plans.items() if plan.needs_approval and not operation.dry_run}


def _covers(shown: Mapping[str, int] | None, accounts: Mapping[str, str] | None, request: ApprovalRequest) -> bool:
    """Return whether an answer to the question on the screen covers what would be asked now."""
    if shown is not None and any(number > shown.get(name, 0) for name, number in request.extent.items()):
        return False
    return accounts is None or all(accounts.get(str(t)) == digest for t, digest in request.digests.items())


def _digest(account_ids: Iterable[str]) -> str:
    return hashlib.sha256(",".join(sorted(account_ids)).encode()).hexdigest()


def _deletions(operation: SyncOperation, plans: Mapping[ContactType, TypePlan]) -> Iterator[DesiredContact]:
    for contact_type, plan in plans.items():
        if plan.approved and plan.generation is not None:
            yield DesiredContact(contact_type, plan.generation, operation.sync_id, None)


def _note(verdicts: Mapping[ContactType, Verdict], by: str) -> str | None:
    """Return what the report says of the decisions: one sentence for each verdict."""
    sentences = []
    for verdict, sentence in _NOTES.items():
        types = ", ".join(contact_type for contact_type, given in verdicts.items() if given is verdict)
        sentences += [sentence.format(by=by, types=types)] if types else []
    return " ".join(sentences) or None


def _counted(accounts: int) -> str:
    return "1 account" if accounts == 1 else f"{accounts} accounts"


def _duration(seconds: float) -> str:
    """Return a duration as people say it: in the largest unit of which there are at least two."""
    for name, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} seconds"
