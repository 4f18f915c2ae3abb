"""How one contact of one account is brought to the newest desired contact while other tasks work on it too.

Before a write the account's record is marked, and after it the mark is cleared. Both happen only if the record still
has the version that was read. So of two tasks one gives way. A task that finds a mark waits until the marked call must
have ended, instead of overtaking it.
"""

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from contactsync.account_management.api_operations import read_of, write_of
from contactsync.clock import Clock
from contactsync.contacts import Contact, ContactType, PhoneComparison, changed_fields, field_names, other_forms
from contactsync.errors import (
    AccessDeniedError,
    AwsCallError,
    ContactSyncError,
    DesiredContactMissingError,
    DesiredContactOutdatedError,
    ServiceUnavailableError,
    StateConflictError,
    UnexpectedAwsError,
    WriteNotSeenError,
)
from contactsync.fingerprints import fingerprint, is_fingerprint_of
from contactsync.operations.account_record import UNKNOWN, AccountRecord, Mark
from contactsync.operations.desired import DesiredContact
from contactsync.operations.operation import OutcomeDetail, OutcomeStatus
from contactsync.operations.ports import AccountRecords, DesiredContacts, Generations
from contactsync.pacing.guarded_calls import GuardedCalls
from contactsync.sync.ports import AccountContacts

log = logging.getLogger(__name__)

POLL: Final = 1.0
"""Seconds between two looks at a record that carries another task's mark."""


class ForbiddenMeanwhileError(Exception):
    """Raised when a write is not allowed any more; `allow` raises it, and it never leaves the step."""

    def __init__(self, detail: OutcomeDetail) -> None:
        super().__init__(detail)
        self.detail = detail


class _LookAgainError(Exception):
    """Raised when the record changed after it was read; never leaves this module."""


@dataclass(frozen=True)
class WriteResult:
    """What was found and done for one contact type of one account."""

    status: OutcomeStatus
    detail: OutcomeDetail
    changed_fields: tuple[str, ...] = ()
    generation: int | None = None
    written_detail: OutcomeDetail = OutcomeDetail.UPDATED
    """The generation of the desired contact that the account has now; None when that is not known."""
    """What a write of the desired contact is called; used when an earlier try of this operation made that write."""
    other_form: tuple[str, ...] = ()
    """The fields that the account has in another form of the same value, such as a telephone number."""


@dataclass(frozen=True)
class WriteTarget:
    """One contact of one account, and what its task needs to bring it to the desired one."""

    account_id: str
    contact_type: ContactType
    sync_id: str
    guarded: GuardedCalls
    generation: int
    """The generation that its operation raised for this type: an older desired contact is never the latest one."""
    may_delete: bool
    """Whether its operation has a deletion of this type that a person or the policy allowed."""
    phones: PhoneComparison
    allow: Callable[[bool], None]
    """Called before each write; its argument says whether the write is a deletion.

    Raises ForbiddenMeanwhileError when the write is not allowed any more, or the error that keeps it from knowing.
    """
    written_before: tuple[str, ...]
    """The fields that earlier tries wrote, or may have written."""
    recorded_tries: frozenset[int]
    """The tries that recorded what they wrote, or may have written."""
    try_number: int
    """Airflow's number of this try, from 1."""
    written: list[str]
    """A list to which the fields are added that were written, or may have been, also when an error follows."""


@dataclass
class _Write:
    """One write in progress: the record before it, the marked record, and an error that leaves its success unknown."""

    target: WriteTarget
    desired: DesiredContact
    desired_fingerprint: str
    record: AccountRecord
    marked: AccountRecord | None = None
    doubt: AwsCallError | None = None


@dataclass(frozen=True)
class ContactWriter:
    """The step that writes the newest desired contact to an account and checks that it is there."""

    contacts: AccountContacts
    desired: DesiredContacts
    generations: Generations
    records: AccountRecords
    clock: Clock
    fingerprint_keys: tuple[bytes, ...] = field(repr=False)
    """The present key, then earlier ones, which older records need; a record gets the present one in time."""
    mark_wait: float
    """Seconds to wait for another task's mark; longer than a call can take."""
    conflict_tries: int
    """How many times the record is read at most while other tasks keep changing it."""
    verify_reads: int
    """How many times a written contact is read back, before the step gives up."""
    verify_wait: float
    """Seconds before the second of these reads; each later wait is twice as long."""

    def write_newest(self, target: WriteTarget) -> WriteResult:
        """Write the newest desired contact and read it back, unless a trusted read shows it already.

        A deletion that only another operation may carry out is left to that one: the account is neither read nor
        written. Raises StateConflictError when others keep changing the record, DesiredContactOutdatedError when the
        latest desired contact is older than one that was known before, and the errors of the calls.
        """
        until_agreed = Retrying(
            retry=retry_if_exception_type(_LookAgainError),
            stop=stop_after_attempt(self.conflict_tries),
            wait=wait_random(0, 0.5),
            sleep=self.clock.sleep,
        )
        try:
            return until_agreed(self._look, target)
        except RetryError:
            item = f"The record of the {target.contact_type} contact of account {target.account_id}"
            raise StateConflictError(item=item, tries=self.conflict_tries) from None

    def _look(self, target: WriteTarget) -> WriteResult:
        # Read the record before the desired contact: if another task applies a newer one later, this record has
        # changed.
        record = self.records.get(target.account_id, target.contact_type)
        if record.mark:
            self._outwait(record)
        desired = self.desired.latest(target.contact_type)
        if desired is None:
            raise DesiredContactMissingError(contact_type=target.contact_type)
        self._check_order(target, desired, record)
        if desired.contact is None and not target.may_delete:
            return WriteResult(OutcomeStatus.SKIPPED, OutcomeDetail.SUPERSEDED)
        write = _Write(target, desired, self._fingerprint(target, desired.contact), record)
        observed = self._read(target)
        fields = changed_fields(desired.contact, observed, target.phones)
        if self._is_trusted(write) and (not fields or self._is_form_of_aws(write, observed)):
            return self._keep_unchanged(write, observed)
        # A read that shows no difference is not trusted here: report what earlier tries wrote, or else every field, as
        # possibly changed. A write changes the form of a telephone number too.
        changed = changed_fields(desired.contact, observed)
        return self._write(write, changed or target.written_before or field_names(target.contact_type))

    def _keep_unchanged(self, write: _Write, observed: Contact | None) -> WriteResult:
        target, desired, record = write.target, write.desired, write.record
        form = self._fingerprint(target, observed) if self._is_form_of_aws(write, observed) else record.form
        if not self.records.replace(
            record,
            generation=desired.generation,
            fingerprint=write.desired_fingerprint,
            form=form,
            verified_at=self.clock.now(),
        ):
            raise _LookAgainError
        if record.writer == target.sync_id and record.writer_try not in target.recorded_tries:
            # That try ended before it could record what it wrote.
            target.written.extend(record.written_fields)
        return replace(
            _found(desired, OutcomeDetail.UNCHANGED), other_form=other_forms(desired.contact, observed) or ()
        )

    def _fingerprint(self, target: WriteTarget, contact: Contact | None) -> str:
        return fingerprint(target.contact_type, contact, self.fingerprint_keys[0])

    def _is_form_of_aws(self, write: _Write, observed: Contact | None) -> bool:
        """Return whether this is the form in which AWS is known to keep the contact that was written last."""
        kept, contact_type = write.record.form, write.target.contact_type
        return (
            kept is not None
            and write.record.fingerprint is not None
            and is_fingerprint_of(kept, contact_type, observed, self.fingerprint_keys)
        )

    def _is_trusted(self, write: _Write) -> bool:
        """Return whether a read that shows the desired contact can be trusted.

        Not after waiting for another task's call, nor when something else was written last: the read may be an old one.
        """
        last, desired = write.record.fingerprint, write.desired
        if write.record.mark is not None or last is None:
            return write.record.mark is None
        return is_fingerprint_of(last, desired.contact_type, desired.contact, self.fingerprint_keys)

    def _check_order(self, target: WriteTarget, desired: DesiredContact, record: AccountRecord) -> None:
        """Refuse a desired contact that is older than one known before: its table was restored, or lost.

        The counter is raised, so that the next plan stores a newer one than anything that was ever applied.
        """
        known = max(target.generation, record.generation or 0)
        if desired.generation < known:
            self.generations.raise_to(target.contact_type, known)
            raise DesiredContactOutdatedError(
                contact_type=target.contact_type, generation=desired.generation, newest=known
            )

    def _outwait(self, record: AccountRecord) -> None:
        """Wait until a call of the task that left the mark must have ended, measured by this process's own clock."""
        log.info("Another task is writing to account %s; waiting up to %.0f s", record.account_id, self.mark_wait)
        end = self.clock.monotonic() + self.mark_wait
        while self.clock.monotonic() < end:
            self.clock.sleep(POLL)
            if self.records.get(record.account_id, record.contact_type).version != record.version:
                raise _LookAgainError

    def _read(self, target: WriteTarget) -> Contact | None:
        return target.guarded.call(
            read_of(target.contact_type), lambda: self.contacts.read(target.contact_type, target.account_id)
        )

    def _write(self, write: _Write, fields: tuple[str, ...]) -> WriteResult:
        target, desired = write.target, write.desired
        api = write_of(target.contact_type, deletes=desired.contact is None)
        try:
            target.guarded.call(api, lambda: self._call(write), before=lambda: self._mark_record(write))
        except (ContactSyncError, ForbiddenMeanwhileError):
            target.written.extend(fields if write.doubt else ())
            self._give_up(write)
            raise
        target.written.extend(fields)
        cleared = self.records.replace(
            _marked(write),
            mark=None,
            generation=desired.generation,
            fingerprint=write.desired_fingerprint,
            form=None,
            writer=target.sync_id,
            writer_try=target.try_number,
            written_fields=fields,
            verified_at=None,
        )
        if cleared is None:
            raise _LookAgainError
        other_form, seen = self._verify(target, desired)
        form = self._fingerprint(target, seen) if other_form else None
        # If the record has changed since, the task that changed it verifies its own write.
        self.records.replace(cleared, verified_at=self.clock.now(), form=form)
        return replace(_found(desired, _written_detail(desired), fields), other_form=other_form)

    def _mark_record(self, write: _Write) -> None:
        """Mark the record before each try of the call.

        Renew the mark before each further try. Another task that is waiting for it to expire then starts its wait
        again, instead of writing at the same time.
        """
        write.target.allow(write.desired.contact is None)
        mark = Mark(secrets.token_hex(8), write.target.sync_id, write.desired.generation, self.clock.now())
        write.marked = self.records.replace(write.marked or write.record, mark=mark)
        if write.marked is None:
            raise _LookAgainError

    def _call(self, write: _Write) -> None:
        account_id, desired = write.target.account_id, write.desired
        try:
            if desired.contact is None:
                self.contacts.delete(desired.contact_type, account_id)
            else:
                self.contacts.write(desired.contact_type, account_id, desired.contact)
        except (ServiceUnavailableError, UnexpectedAwsError) as error:
            write.doubt = error
            raise

    def _give_up(self, write: _Write) -> None:
        """Clear the mark if AWS has answered; without an answer the call may still be running, so the mark stays."""
        if write.marked is None or (write.doubt and not write.doubt.answered):
            return
        is_known = write.record.mark is None and not write.doubt
        # The error that ends this write says more than an error of the table. If the mark stays, others wait for it.
        with suppress(ContactSyncError):
            self.records.replace(write.marked, mark=None, fingerprint=write.record.fingerprint if is_known else UNKNOWN)

    def _verify(self, target: WriteTarget, desired: DesiredContact) -> tuple[tuple[str, ...], Contact | None]:
        """Read back until the written contact shows: AWS's reads are eventually consistent.

        Return the fields that AWS keeps in another form than the written one, and the contact as AWS keeps it.
        """
        forms: tuple[str, ...] | None = None
        seen: Contact | None = None

        def is_seen() -> bool:
            nonlocal forms, seen
            try:
                seen = self._read(target)
            except AccessDeniedError:  # the read before the write was allowed, so something has changed for everyone
                raise
            except AwsCallError:  # the write was accepted, so a failed read does not make it a failure
                return False
            forms = other_forms(desired.contact, seen)
            return forms is not None

        until_agreed = Retrying(
            retry=retry_if_result(lambda seen: not seen),
            stop=stop_after_attempt(self.verify_reads),
            wait=wait_exponential(multiplier=self.verify_wait),
            sleep=self.clock.sleep,
        )
        try:
            until_agreed(is_seen)
        except RetryError:
            raise WriteNotSeenError(account_id=target.account_id, contact_type=target.contact_type) from None
        return forms or (), seen


def _marked(write: _Write) -> AccountRecord:
    if write.marked is None:
        msg = "The guard made the call without `before`."
        raise AssertionError(msg)
    return write.marked


def _found(desired: DesiredContact, detail: OutcomeDetail, fields: tuple[str, ...] = ()) -> WriteResult:
    return WriteResult(OutcomeStatus.SUCCESS, detail, fields, desired.generation, _written_detail(desired))


def _written_detail(desired: DesiredContact) -> OutcomeDetail:
    return OutcomeDetail.UPDATED if desired.contact else OutcomeDetail.DELETED
