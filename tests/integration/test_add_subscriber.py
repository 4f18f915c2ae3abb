"""The recipe of docs/events.md, Adding a subscriber, followed as it is written: a file of code, and one of parameters.

The waits of AWS are shrunk; every test waits for conditions.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import EVENT_TYPES
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.integration.conftest import Command
from tests.support.events import data_of
from tests.support.fakes.surroundings import START
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
FUNCTION = "contactsync-local-tickets"
HALTED = "contactsync.sync_operation.halted.v1"


def blocks() -> Mapping[str, str]:
    """Return the files that the recipe shows, by the path in their first line."""
    _, _, recipe = (ROOT / "docs" / "events.md").read_text(encoding="utf-8").partition("\n## Adding a subscriber\n")
    recipe = recipe.partition("\n## ")[0]
    return dict(re.findall(r"^```\w+\n# ([\w./]+)\n(.*?)^```$", recipe, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a clone in which somebody has followed the recipe."""
    root = tmp_path_factory.mktemp("clone")
    for folder in ("contactsync", "infra"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    files = blocks()
    assert set(files) == {"contactsync/lambdas/tickets.py", "infra/subscribers/tickets.yaml"}
    for name, content in files.items():
        (root / name).write_text(content, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def sandbox(clone: Path) -> Iterator[Sandbox]:
    """Run that clone's sandbox, whose clocks of AWS go fast."""
    scenario = Scenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.005}})
    with Sandbox(scenario, templates=clone / "infra", code_root=clone) as running:
        yield running


def announced(key: str, event_type: str) -> Announcement:
    """Return an announcement of a type."""
    return announcement(data_of(EVENT_TYPES[event_type]), about=key, subject=key, correlation_id=key, time=START)


def logged(sandbox: Sandbox) -> str:
    """Return what the new subscriber's function wrote."""
    return "".join(call.log for call in sandbox.loop.functions.invocations(FUNCTION))


def test_short() -> None:
    """A subscriber takes a dozen lines of parameters at most."""
    assert len(blocks()["infra/subscribers/tickets.yaml"].splitlines()) <= 12


def test_handled(services: Services, sandbox: Sandbox, key: str) -> None:
    """The new subscriber gets the events that it wants, once though they came twice, and no others."""
    wanted = announced(key, HALTED)
    unwanted = announced(key, "contactsync.sync_operation.started.v1")
    for _ in range(2):
        assert services.publisher.publish([unwanted, wanted]).refused == {}
    until(lambda: f"ticket {wanted.id}" in logged(sandbox))
    until(sandbox.loop.queue_polling.is_idle)
    log = logged(sandbox)
    assert log.count(f"ticket {wanted.id} for {key}") == 1
    assert unwanted.id not in log
    assert {entry.event_id for entry in services.audit_trail.correlated(key)} == {wanted.id, unwanted.id}


def test_dead_letters(services: Services, contactsync: Command, key: str) -> None:
    """What the new subscriber cannot handle is among the dead letters that the command shows and sends on."""
    message = services.publisher.message(announced(key, HALTED))
    event_type = "contactsync.sync_operation.halted.v9"
    body = json.dumps({**json.loads(message.body), "type": event_type})
    attributes = {
        name: {"DataType": "String", "StringValue": value}
        for name, value in {**message.attributes, "type": event_type}.items()
    }
    topic = services.settings.bus.topic
    services._clients.own("sns").publish(TopicArn=topic, Message=body, MessageAttributes=attributes)
    (letter,) = until(lambda: list(services.dead_letters.look("tickets")))
    assert (letter.code, letter.correlation_id) == ("EventTypeUnknown", key)
    listed = contactsync("dead-letters", "list", "tickets", "-o", "json")
    assert (listed.code, key in listed.out) == (0, True)
    discarded = contactsync("dead-letters", "discard", "tickets", letter.message_id, "--reason", "a drill")
    assert discarded.code == 0, discarded.err
    assert list(services.dead_letters.look("tickets")) == []


def test_replay(services: Services, sandbox: Sandbox, contactsync: Command, key: str) -> None:
    """A subscriber that came late can have the events of before; what it has handled it leaves alone."""
    wanted = announced(key, HALTED)
    assert services.publisher.publish([wanted]).refused == {}
    until(lambda: f"ticket {wanted.id}" in logged(sandbox))
    handled = len(sandbox.loop.functions.invocations(FUNCTION))
    since = START.isoformat()
    arguments = ("--since", since, "--subscriber", "tickets", "--older", "--reason", "it is new", "--type", HALTED)
    replayed = contactsync("events", "replay", *arguments)
    assert replayed.code == 0, replayed.err
    until(lambda: len(sandbox.loop.functions.invocations(FUNCTION)) > handled)
    until(sandbox.loop.queue_polling.is_idle)
    assert logged(sandbox).count(f"ticket {wanted.id}") == 1
