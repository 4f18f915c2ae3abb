"""The progress of a deployment, on a terminal and in a log."""

import io
from datetime import UTC, datetime

from rich.console import Console

from contactsync.cli.screen.deploy_progress import LineProgress, LiveProgress, progress_on
from contactsync.deployment.live import StackEvent
from tests.support.fakes.surroundings import FakeClock

BUS = "contactsync-prod-bus"
QUEUE = "AWS::SQS::Queue"


def event(logical_id: str, status: str, reason: str = "") -> StackEvent:
    """Make an event of the bus."""
    return StackEvent("1", datetime(2026, 1, 14, tzinfo=UTC), BUS, logical_id, QUEUE, status, reason)


def test_lines() -> None:
    """In a log every event is a line with its time, and a state at most one a minute."""
    written, clock = io.StringIO(), FakeClock()
    progress = progress_on(Console(file=written, width=120), clock)
    assert type(progress) is LineProgress
    with progress.shown():
        progress.begin(BUS, "is updated")
        progress.event(event("AuditQueue", "UPDATE_FAILED", "no\x1b[2J"))
        for _ in range(30):
            clock.sleep(5)
            progress.tick(BUS, "UPDATE_IN_PROGRESS")
        progress.end(BUS, "UPDATE_ROLLBACK_COMPLETE")
    assert written.getvalue().splitlines() == [
        f"09:00:00  {BUS} is updated",
        f"09:00:00  {BUS} AuditQueue UPDATE_FAILED: no\ufffd[2J",
        f"09:01:00  {BUS}: UPDATE_IN_PROGRESS",
        f"09:02:00  {BUS}: UPDATE_IN_PROGRESS",
        f"09:02:30  {BUS} UPDATE_ROLLBACK_COMPLETE",
    ]


def test_table() -> None:
    """On a terminal the table has the newest state of each resource; what failed, and each end, stays above."""
    written, clock = io.StringIO(), FakeClock()
    console = Console(file=written, width=120, force_terminal=True)
    progress = progress_on(console, clock)
    assert isinstance(progress, LiveProgress)
    with progress.shown():
        progress.begin(BUS, "is updated")
        for number in range(20):
            progress.event(event(f"Queue{number}", "UPDATE_IN_PROGRESS"))
        progress.event(event("Queue3", "UPDATE_FAILED", "too many queues"))
        clock.sleep(7)
        progress.tick(BUS, "UPDATE_IN_PROGRESS")
        with console.capture() as captured:
            console.print(progress._table())
        progress.end(BUS, "UPDATE_ROLLBACK_COMPLETE")
    table = captured.get()
    assert f"{BUS}: UPDATE_IN_PROGRESS" in table
    assert "Queue19" in table
    assert "Queue0 " not in table
    assert "7 s" in table
    assert "Queue3 UPDATE_FAILED: too many queues" in written.getvalue()
    assert f"{BUS} UPDATE_ROLLBACK_COMPLETE" in written.getvalue()
