"""Checks that try a deployment out: a dry run, its event on the bus and in the audit trail, and the notices' forms.

Nothing is written to an account, and nothing stays but the run with what it stored about itself.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from contactsync.bus.audit import AuditEntry, entity
from contactsync.bus.events import SyncOperationCompleted, SyncOperationFailed
from contactsync.checks.findings import Finding, failed, looked_at, ok, unknown
from contactsync.clock import Clock
from contactsync.errors import ContactSyncError
from contactsync.notices.preview import all_forms
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import Scenario
from contactsync.operations.counting import counted_as
from contactsync.operations.operation import AccountOutcome, OutcomeDetail, SyncOperation, sync_id_of
from contactsync.runs.runs import Runs

DRY_RUN: Final = "dry-run"
EVENT: Final = "event"
NOTICES: Final = "notices"

RUN_LIMIT: Final = 1800.0
"""Seconds for which a dry run is waited for, by default; a thousand accounts need about seven minutes."""
EVENT_LIMIT: Final = 120.0
"""Seconds for which the run's event is waited for in the audit trail: the outbox is sent, and the queue read."""
POLL: Final = 5.0

TRIES: Final = 5
"""Looks in a row that may fail for a cause that may pass, such as AWS's throttling."""

REASON: Final = "contactsync validate --deep"
WRITES: Final = frozenset({OutcomeDetail.UPDATED, OutcomeDetail.DELETED})
ENDS: Final = frozenset({SyncOperationCompleted.event_type, SyncOperationFailed.event_type})


Answer = TypeVar("Answer")


class StoredRuns(Protocol):
    """What runs have stored."""

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return an operation."""

    def outcomes(self, sync_id: str) -> Iterable[AccountOutcome]:
        """Return the outcomes of an operation."""


class Trail(Protocol):
    """The audit trail."""

    def about(self, entity: str) -> Iterable[AuditEntry]:
        """Yield the entries about an entity."""


@dataclass(frozen=True)
class DeepPorts:
    """What the checks that try a deployment out use."""

    runs: Runs
    stored: StoredRuns
    trail: Trail
    clock: Clock


@dataclass(frozen=True)
class DeepChecks:
    """The checks, for one run."""

    ports: DeepPorts
    run_id: str
    """A new one: the run that is started has it."""
    run_limit: float = RUN_LIMIT

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each check, with how long it took."""
        run = list(self._timed(DRY_RUN, self._dry_run))
        yield from run
        if all(finding.is_ok for finding in run):
            yield from self._timed(EVENT, self._event)
        yield from self._timed(NOTICES, self._notices)

    def _timed(self, name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
        start = self.ports.clock.monotonic()
        for finding in looked_at(name, check):
            seconds = self.ports.clock.monotonic() - start
            yield replace(finding, sentence=f"{finding.sentence} ({seconds:.1f} s)")

    def _dry_run(self) -> Iterator[Finding]:
        conf = {"contact_types": [], "accounts": [], "organizational_units": [], "dry_run": True, "reason": REASON}
        self.ports.runs.start(self.run_id, conf)
        state = self._ended()
        if state is None:
            yield unknown(
                DRY_RUN,
                f"Dry run {self.run_id} has not ended after {self.run_limit:.0f} seconds.",
                f"Follow it with `contactsync watch {self.run_id}`, and give more time with --limit.",
            )
        elif state != "success":
            remedy = f"See why with `contactsync report {self.run_id}`."
            yield failed(DRY_RUN, f"Dry run {self.run_id} ended as {state}.", remedy)
        else:
            yield self._report()

    def _ended(self) -> str | None:
        end = self.ports.clock.monotonic() + self.run_limit
        while not (progress := self._patient(lambda: self.ports.runs.progress(self.run_id))).has_ended:
            if self.ports.clock.monotonic() >= end:
                return None
            self.ports.clock.sleep(POLL)
        return progress.state

    def _patient(self, look: Callable[[], Answer]) -> Answer:
        """Look, and repeat it while a cause lasts that may pass: over minutes, one failed look says nothing."""
        for _ in range(TRIES - 1):
            try:
                return look()
            except ContactSyncError as error:
                if not error.retryable:
                    raise
                self.ports.clock.sleep(POLL)
        return look()

    def _report(self) -> Finding:
        """Read back what the run has stored: every outcome is there, and none of them wrote anything."""
        sync_id = sync_id_of(self.run_id)
        operation = self.ports.stored.get(sync_id)
        if operation is None or not operation.finished:
            remedy = "See the log of the run's task `report`."
            return failed(DRY_RUN, f"Dry run {self.run_id} has stored no report.", remedy)
        outcomes = list(self.ports.stored.outcomes(sync_id))
        written = [one for one in outcomes if one.detail in WRITES or one.written_fields]
        if written or not operation.dry_run:
            return failed(
                DRY_RUN,
                f"Dry run {self.run_id} wrote contacts of {len(written)} accounts.",
                "This must never happen: switch the DAG contact_sync off, and report it.",
            )
        expected = sum(operation.counts.values())
        if len(outcomes) != expected:
            sentence = f"Dry run {self.run_id} counted {expected} outcomes, but {len(outcomes)} are stored."
            return failed(DRY_RUN, sentence, f"Compare with `contactsync report {self.run_id}`.")
        counts = ", ".join(
            f"{number} {word.replace('_', ' ')}" for word, number in sorted(Counter(map(counted_as, outcomes)).items())
        )
        return ok(DRY_RUN, f"Dry run {self.run_id} ended, and its report was read back: {counts or 'no account'}.")

    def _event(self) -> Iterator[Finding]:
        """Wait until the audit trail has the event about the run's end, which came through outbox, bus and queue."""
        about = entity("operation", sync_id_of(self.run_id))
        end = self.ports.clock.monotonic() + EVENT_LIMIT
        while True:
            entries = self._patient(lambda: list(self.ports.trail.about(about)))
            if any(entry.event_type in ENDS for entry in entries):
                yield ok(EVENT, "The run's event went over the bus into the audit trail.")
                return
            if self.ports.clock.monotonic() >= end:
                break
            self.ports.clock.sleep(POLL)
        yield failed(
            EVENT,
            f"The audit trail has no event of run {self.run_id} after {EVENT_LIMIT:.0f} seconds.",
            "See `contactsync dead-letters list`, the log of the function audit, and whether housekeeping sends the "
            "outbox.",
        )

    def _notices(self) -> Iterator[Finding]:
        """Render a sample of every notice in every form; nothing is sent."""
        forms = [form for scenario in Scenario for form in all_forms(sample(scenario))]
        yield ok(NOTICES, f"{len(forms)} forms of {len(Scenario)} notices can be rendered.")
