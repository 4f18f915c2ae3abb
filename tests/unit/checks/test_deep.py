"""The checks that try a deployment out: a dry run, its event, and the notices."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from contactsync.bus.audit import AuditEntry
from contactsync.bus.events import Severity
from contactsync.checks.deep import EVENT_LIMIT, DeepChecks, DeepPorts
from contactsync.checks.findings import Finding, State
from contactsync.contacts import ContactType
from contactsync.errors import AccessDeniedError, AirflowRefusedError
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
    sync_id_of,
)
from contactsync.runs.runs import Runs
from tests.support.builders import operation
from tests.support.fakes.airflow import FakeAirflow
from tests.support.fakes.surroundings import START, FakeClock

RUN = "validate__2026-01-14T09:00:00_abc123"
ABOUT = f"operation#{sync_id_of(RUN)}"


def entry(event_type: str) -> AuditEntry:
    """Return what the audit trail keeps of an event about the run."""
    return AuditEntry("e-1", event_type, START, Severity.LOW, "contactsync", RUN, (ABOUT,), "{}")


def outcome(detail: OutcomeDetail, number: int = 1) -> AccountOutcome:
    """Return what the dry run says about an account."""
    found = AccountOutcome(f"22223333000{number}", f"member-{number}", ContactType.BILLING)
    return replace(found, status=OutcomeStatus.SKIPPED, detail=detail)


@dataclass
class Tried:
    """A deployment whose dry run succeeds at the third look, unless a test changes something."""

    airflow: FakeAirflow = field(default_factory=FakeAirflow)
    clock: FakeClock = field(default_factory=FakeClock)
    stored: SyncOperation | None = None
    all_outcomes: list[AccountOutcome] = field(default_factory=lambda: [outcome(OutcomeDetail.WOULD_UPDATE)])
    events: list[str] = field(default_factory=lambda: ["contactsync.sync_operation.completed.v1"])
    appears_after: int = 0
    """Looks at the audit trail after which it has the events."""
    error: Exception | None = None
    """What reading the audit trail raises."""

    def __post_init__(self) -> None:
        """Let the run succeed, and store its operation."""
        self.airflow.looks = 3
        at = datetime(2026, 1, 14, 9, 5, tzinfo=UTC)
        planned = replace(operation(ContactType.BILLING, run=RUN), dry_run=True)
        self.stored = planned.ended_as(OperationStatus.COMPLETED, {"would_change": 1}, at=at)

    def get(self, sync_id: str) -> SyncOperation | None:
        """Return the operation."""
        assert sync_id == sync_id_of(RUN)
        return self.stored

    def outcomes(self, sync_id: str) -> Iterable[AccountOutcome]:
        """Return the outcomes."""
        assert sync_id == sync_id_of(RUN)
        return self.all_outcomes

    def about(self, entity: str) -> Iterable[AuditEntry]:
        """Return the entries, if they are there already."""
        assert entity == ABOUT
        self.appears_after -= 1
        if self.error:
            raise self.error
        return [entry(event) for event in self.events] if self.appears_after < 0 else []

    def findings(self, limit: float = 600) -> list[Finding]:
        """Make the checks."""
        ports = DeepPorts(Runs(self.airflow), self, self, self.clock)
        return list(DeepChecks(ports, RUN, limit).findings())


def test_all() -> None:
    """The run is started as a dry run of everything, its report read back, and every check says how long it took."""
    tried = Tried(appears_after=2)
    run, event, notices = tried.findings()
    assert [one.state for one in (run, event, notices)] == [State.OK] * 3
    assert "its report was read back: 1 would change. (15.0 s)" in run.sentence
    assert event.sentence.endswith("(10.0 s)")
    assert "notices can be rendered" in notices.sentence
    conf = tried.airflow.runs[RUN]["conf"]
    assert (conf["dry_run"], conf["accounts"], conf["contact_types"]) == (True, [], [])
    assert conf["reason"] == "contactsync validate --deep"


def test_run_fails() -> None:
    """A run that fails is a ✗, its event is not waited for, and the notices are rendered all the same."""
    tried = Tried()
    tried.airflow.looks = 0
    tried.airflow.add(RUN, "failed", accounts=[])
    run, notices = tried.findings()
    assert (run.name, run.state, notices.name) == ("dry-run", State.FAILED, "notices")
    assert f"contactsync report {RUN}" in run.remedy


def test_run_never_ends() -> None:
    """A run that has not ended at the limit is unknown, with the command that follows it."""
    tried = Tried()
    tried.airflow.looks = 0
    run, _ = tried.findings(limit=60)
    assert run.state is State.UNKNOWN
    assert f"contactsync watch {RUN}" in run.remedy
    assert sum(tried.clock.slept) == 60


def test_paused() -> None:
    """While the DAG is paused no run is started."""
    tried = Tried()
    tried.airflow.paused = True
    run, _ = tried.findings()
    assert run.state is State.UNKNOWN
    assert "is paused" in run.remedy
    assert tried.airflow.runs == {}


def test_airflow_refuses() -> None:
    """What Airflow refuses is a finding, not a traceback."""
    tried = Tried()
    tried.airflow.errors = [AirflowRefusedError("GET /dags/contact_sync", 403, "Forbidden")]
    run, _ = tried.findings()
    assert run.state is State.UNKNOWN


def test_airflow_restarts() -> None:
    """Some looks that fail for a cause that may pass do not end the check; too many in a row do."""
    tried = Tried()
    start = tried.airflow.call

    def failing(times: int) -> FakeAirflow:
        left = [AirflowRefusedError("GET /dags/contact_sync/dagRuns", 503, "restarting")] * times

        def call(method: str, path: str, *arguments: Any, **named: Any) -> Any:
            if left and method == "GET" and "dagRuns/" in path:
                raise left.pop()
            return start(method, path, *arguments, **named)

        tried.airflow.call = call  # type: ignore[method-assign] # this one test's own
        return tried.airflow

    failing(4)
    assert tried.findings()[0].is_ok
    tried.airflow.runs.clear()
    failing(5)
    assert tried.findings()[0].state is State.UNKNOWN


def test_no_report() -> None:
    """A run that has stored no end is a ✗."""
    tried = Tried()
    tried.stored = None
    assert "has stored no report" in tried.findings()[0].sentence


def test_lost_outcomes() -> None:
    """A report that counts other outcomes than are stored is a ✗."""
    assert "counted 1 outcomes, but 0 are stored" in Tried(all_outcomes=[]).findings()[0].sentence


@pytest.mark.parametrize(
    "written",
    [
        outcome(OutcomeDetail.UPDATED),
        outcome(OutcomeDetail.WOULD_UPDATE).settled(
            Attempt(1, START, START, OutcomeStatus.FAILED, OutcomeDetail.ERROR, written_fields=("name",))
        ),
    ],
)
def test_writes(written: AccountOutcome) -> None:
    """A dry run that wrote anything is a ✗ that says to stop."""
    run = Tried(all_outcomes=[written]).findings()[0]
    assert run.state is State.FAILED
    assert "wrote contacts of 1 accounts" in run.sentence
    assert "switch the DAG contact_sync off" in run.remedy


def test_no_event() -> None:
    """An event that does not come is given up after its limit."""
    tried = Tried(events=["contactsync.sync_operation.started.v1"])
    _, event, _ = tried.findings()
    assert event.state is State.FAILED
    assert "dead-letters" in event.remedy
    assert sum(tried.clock.slept) == 15 + EVENT_LIMIT


def test_denied_trail() -> None:
    """An audit trail that may not be read is unknown, with the permission."""
    tried = Tried(error=AccessDeniedError("Query", "AccessDeniedException", service="dynamodb"))
    _, event, _ = tried.findings()
    assert event.state is State.UNKNOWN
    assert "dynamodb:Query" in event.remedy
