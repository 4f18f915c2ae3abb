"""Messages that end the process of a subscriber's function, on the real templates: their batch mates are handled.

The waits of AWS are shrunk; every test waits for conditions.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from contactsync.bus.dead_letters.handling import LetterFacts
from contactsync.bus.envelope import Announcement, announcement
from contactsync.bus.events import ConfigurationChanged
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.support.events import data_of
from tests.support.fakes.surroundings import START
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
LONGEST = 150.0

until_done = partial(until, seconds=LONGEST)
FUNCTION = "contactsync-local-audit"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Run a sandbox with the project's templates, in which only the audit function's handler is another one.

    Its Timeout, and with it the queue's, is shorter, so that nobody waits for half a minute.
    """
    folder = tmp_path_factory.mktemp("infra")
    for path in (ROOT / "infra").glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace(
            "contactsync.lambdas.audit.handler", "tests.support.killing_audit.handler"
        )
        if path.stem == "bus":
            text = text.replace("Timeout: 30\n", "Timeout: 12\n").replace(
                "VisibilityTimeout: 180\n", "VisibilityTimeout: 72\n"
            )
        (folder / path.name).write_text(text, encoding="utf-8")
    scenario = Scenario.model_validate({"organization": {"accounts": 1}, "events": {"time_scale": 0.01}})
    with Sandbox(scenario, templates=folder) as running:
        yield running


def change(key: str, number: int, way: str | None) -> Announcement:
    """Return an announcement; `way` is what it does to the process."""
    data = data_of(ConfigurationChanged, config_key=f"{key}-{number}", reason=way)
    return announcement(data, about=f"{key}#{number}", subject=key, correlation_id=key, time=START)


def sent(services: Services, key: str, *ways: str | None) -> list[Announcement]:
    """Put one batch into the audit function's queue."""
    announced = [change(key, number, way) for number, way in enumerate(ways)]
    dead = services.settings.dead_letters.queues["audit"]
    sqs = services._clients.own("sqs")
    (url,) = sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
    bodies = [services.publisher.message(one).body for one in announced]
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    return announced


def letters(services: Services, key: str) -> list[LetterFacts]:
    """Return the dead letters of a test."""
    return [facts for facts in services.dead_letters.look("audit") if facts.correlation_id == key]


@pytest.mark.parametrize(
    "ways",
    [
        (None, None, "exits", None, None),
        ("runs out of memory", None, None),
        (None, None, "asks to exit"),
        ("exits", "runs out of memory", "exits", "exits", None, "exits", "exits", None),
        ("exits",),
    ],
)
def test_mates(services: Services, sandbox: Sandbox, key: str, ways: tuple[str | None, ...]) -> None:
    """However many messages of a batch end the process, and wherever they stand, only they become dead letters."""
    announced = sent(services, key, *ways)
    killers = {one.id for one, way in zip(announced, ways, strict=True) if way}
    found = until_done(lambda: facts if len(facts := letters(services, key)) >= len(killers) else None)
    until_done(sandbox.loop.queue_polling.is_idle)
    assert {facts.event_id for facts in found} == killers
    handled = {entry.event_id for entry in services.audit_trail.correlated(key)}
    assert handled == {one.id for one in announced} - killers
    assert {facts.code for facts in found} == {"ProcessEnded"}
    for facts in found:
        assert FUNCTION in str(facts.reason)
        assert "ended" in str(facts.reason)
    failure = services.dead_letters.failures.find("audit", found[0].message_id)
    assert failure
    assert failure.receive_count == 3


def test_hanging(services: Services, sandbox: Sandbox, key: str) -> None:
    """A message that never ends takes no mate along either, and its reason names the time."""
    announced = sent(services, key, "hangs", None, None)
    (facts,) = until_done(lambda: letters(services, key))
    until_done(sandbox.loop.queue_polling.is_idle)
    assert (facts.event_id, facts.code) == (announced[0].id, "ProcessEnded")
    assert "Timeout" in str(facts.reason)
    assert {entry.event_id for entry in services.audit_trail.correlated(key)} == {one.id for one in announced[1:]}


def test_only_killers_are_apart(services: Services, sandbox: Sandbox, key: str) -> None:
    """A message that fails with an error, and comes again, costs its mates no process of their own."""
    before = len(sandbox.loop.functions.invocations(FUNCTION))
    body = json.dumps({**json.loads(services.publisher.message(change(key, 0, None)).body), "time": "?"})
    dead = services.settings.dead_letters.queues["audit"]
    sqs = services._clients.own("sqs")
    (url,) = sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    (facts,) = until_done(lambda: letters(services, key))
    assert facts.code == "EventInvalid"
    logs = [call.log for call in sandbox.loop.functions.invocations(FUNCTION)[before:]]
    assert not any("process of its own" in log for log in logs)
