"""What people do in AWS with contactsync's commands: those who operate it, and those who change its configuration."""

import contextlib
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contactsync.bus.envelope import announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.bus.ports import SetAside
from contactsync.cli.app import main
from contactsync.errors import AirflowSilentError
from contactsync.runs.approvals import Answer
from contactsync.sandbox.contacts.defaults import member_account_id
from contactsync.services.services import Services
from contactsync.settings.groups import Group
from tests.support.events import data_of
from tests.support.permissions.functions import LARGE
from tests.support.permissions.system import System
from tests.support.recorded import recorded
from tests.support.waiting import until

RUN = "run-all"
"""A run that the workers have carried out."""


def operator(system: System, role_arn: str) -> None:
    """Read everything that the commands show, start runs, and send dead letters and events again."""
    _prepare(system)
    with system.as_role(role_arn):
        for line in READS:
            _command(*line)
        for line in RUNS:  # there is no Airflow here, so they fail after the call of MWAA
            _command(*line, code=1)
        _answer()
        for queue in ("audit", "rule", "outbox"):
            letters = json.loads(_command("dead-letters", "list", queue, "-o", "json"))
            _command("dead-letters", "show", queue, letters[0]["message_id"])
            _command("dead-letters", "discard", queue, letters[0]["message_id"], "--reason", "a drill")
            _command("dead-letters", "redrive", queue, "--all", "--rate", "10", "--reason", "a drill")
        replay = ("events", "replay", "--since", "2h", "--until", "30m", "--rate", "100", "--reason", "a drill")
        _command(*replay)
        _command(*replay, "--subscriber", "audit")


def _answer() -> None:
    """Answer an approval; the web server that AWS names is out of reach here."""
    with pytest.raises(AirflowSilentError):
        Services.from_environment(needs=[Group.AIRFLOW]).answers.answer(RUN, Answer.REJECT)


READS = (
    ("--environment", "local", "env"),
    ("report", RUN),
    ("export", "-o", "csv"),
    ("audit", "--since", "1d"),
    ("audit", "--account", member_account_id(1)),
    ("audit", "--correlation-id", "first"),
    ("operations", "list"),
    ("operations", "list", "--status", "failed"),
    ("operations", "show", RUN),
    ("operations", "desired"),
    ("accounts", "history", member_account_id(1)),
    ("accounts", "state"),
    ("notices", "list"),
    ("notices", "deliveries", RUN),
    ("notices", "preview", "overdue"),
    ("config", "show"),
    ("config", "history"),
    ("config", "diff", "1", "1"),
    ("dead-letters", "list"),
)
DIFFERENT = 3
"""The exit code of a command that found differences."""

RUNS = (("sync", "--dry-run"), ("watch", "manual__1"), ("retry", "manual__1"))


def _prepare(system: System) -> None:
    """Put something into the queues that operators look after, and a large event of an hour ago onto the bus."""
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with system.admin() as services:
        queues = services.settings.dead_letters.queues
        for _ in range(2):
            system.client("sqs").send_message(
                QueueUrl=queues["rule"], MessageBody=json.dumps(recorded("put_alternate_camel"))
            )
        for name in ("aside-1", "aside-2"):
            made = announcement(
                data_of(ConfigurationChanged, config_key=name),
                about=name,
                subject=name,
                correlation_id=name,
                time=hour_ago,
            )
            services.outbox.add(made)
            (entry,) = [one for one in services.outbox.entries(datetime.now(UTC)) if one.announcement == made]
            services.outbox.set_aside(SetAside(entry.key, "InvalidParameter", "why", made.id, made.data.event_type))
        large = announcement(
            data_of(ConfigurationChanged, config_key="replayed", changed_keys=LARGE),
            about="replayed",
            subject="replayed",
            correlation_id="replayed",
            time=hour_ago,
        )
        services.publisher.publish([large])
        until(lambda: list(services.audit_trail.correlated("replayed")))


def configuration(system: System, role_arn: str, folder: Path) -> None:
    """Store configurations in every way that there is."""
    file = folder / "configuration.json"
    with system.as_role(role_arn):
        _command("--environment", "local", "env")
        file.write_text(_command("config", "show"))
        _command("config", "validate", str(file))
        _command("config", "put", str(file), "--reason", "a drill")
        _command("config", "add", "excluded_accounts", member_account_id(3), "--reason", "a drill")
        _command("config", "remove", "excluded_accounts", member_account_id(3), "--yes", "--reason", "a drill")
        _command("config", "put", str(_with_rules(folder)), "--yes", "--reason", "a drill")
        _command("config", "set", "deletion.policy=ignore", "--reason", "a drill")
        _command("config", "history")
        _command("config", "diff", "1", "2", code=DIFFERENT)
        _command("config", "rollback", "1", "--yes", "--reason", "a drill")


def _with_rules(folder: Path) -> Path:
    """Return a file with rules of every kind, which the command compares with the organization."""
    file = folder / "rules.json"
    scope = {
        "include": {"organizational_units": ["Security", "Infrastructure"]},
        "exclude": {"tags": {"team": ["lab"]}},
    }
    file.write_text(json.dumps({"scope": scope}))
    return file


def _command(*words: str, code: int = 0) -> str:
    """Run a command as the shell does, and return its output; `code` is its exit code."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    argv, sys.argv = sys.argv, ["contactsync", *words]
    ended: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as left:
        ended = left.code or 0
    finally:
        sys.argv = argv
    said, output = (stream.buffer.getvalue().decode() for stream in (err, out))  # type: ignore[attr-defined] # a BytesIO
    assert ended == code, f"{words}: {ended} {said}"
    assert "not authorized" not in said, f"{words}: {said}"
    return output
