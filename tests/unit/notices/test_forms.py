"""The forms of a notice: limits, and names that try to break a message."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from contactsync.bus.events import NoticeRequested, Severity
from contactsync.configuration.schema import DeliveryChannel
from contactsync.contacts import ContactType
from contactsync.errors.remedies import RemedyStep
from contactsync.notices.forms.render_chat import (
    DESCRIPTION_LENGTH,
    STEP_LENGTH,
    TITLE_LENGTH,
    chat_message,
    render_chat,
)
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_sms import render_sms
from contactsync.notices.forms.render_text import render_text, subject_of
from contactsync.notices.notice import Notice, NoticeOrigin, notice_of
from contactsync.notices.plain_text import ascii_text, chat_code, chat_sentence, gsm_text, one_line
from contactsync.notices.routing import NoticeForm, deliveries_of
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import AccountOutcome, OperationStatus, OutcomeDetail, OutcomeStatus
from contactsync.plain_text import markdown_name
from tests.support.builders import configuration, operation
from tests.support.fakes.surroundings import START

HOSTILE = (
    "<!channel> *bold* `code`",
    "<https://evil.example|click>",
    "@here @everyone",
    "[click](https://evil.example)",
    "a\nSubject: forged\r\n\r\nbody",
    "\u202eevil\u200b\x1b[31m\x00",
    "``` _x_ ~y~",
    "=1+1",
    "x" * 5000,
    "\N{GRINNING FACE} \N{LATIN SMALL LETTER U WITH DIAERESIS}ber",
    "\ud800",
)


def named(*names: str, **parts: Any) -> Notice:
    """Return the notice of an operation in which accounts of these names failed."""
    outcomes = [
        AccountOutcome(f"{200000000000 + number}", name, ContactType.SECURITY, OutcomeStatus.FAILED)
        for number, name in enumerate(names)
    ]
    return built(outcomes, **parts)


def built(outcomes: list[AccountOutcome], **parts: Any) -> Notice:
    """Return the notice of a failed operation with these outcomes."""
    values = {"notice_id": "n1", "scenario": "complete_failure", "priority": "high", "dag_id": "contact_sync", **parts}
    request = NoticeRequested.model_validate(values)
    origin = NoticeOrigin("test", "c1", START, "https://airflow.example.com/")
    ended = operation(ContactType.SECURITY, status=OperationStatus.FAILED, finished=START)
    return notice_of(request, origin, ended, outcomes)


@pytest.mark.parametrize("name", HOSTILE)
def test_text_keeps_its_lines(name: str) -> None:
    """A name cannot add a line to a mail, hide one, or turn it around."""
    lines, plain = render_text(named(name)).splitlines(), render_text(named("plain")).splitlines()
    assert len(lines) == len(plain)
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("Subject:") for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_chat_mentions_nobody(name: str) -> None:
    """A name is a code span in a chat: nobody is mentioned, nothing is linked or formatted."""
    description = chat_message(named(name))["content"]["description"]
    (line,) = [line for line in description.splitlines() if line.startswith("- `200000000000`")]
    assert line.count("`") == 4
    outside = "".join(re.split(r"`[^`]*`", line))
    assert outside == "-   security: failed"
    assert not set("<>@") & set(line)


@pytest.mark.parametrize("text", HOSTILE)
def test_chat_sentences(text: str) -> None:
    """A sentence that quotes data mentions nobody, links nothing and closes its code spans."""
    found = chat_sentence(f"Problem: {text} was found. Run `contactsync config show`.", 400)
    outside = re.sub(r"`[^`]*`", "", found)
    assert not set("<>@") & set(found)
    assert not set("*~|") & set(outside)
    assert "](" not in outside
    assert found.count("`") % 2 == 0
    assert "\n" not in found


@pytest.mark.parametrize("text", [r"\`[x](http://e)\`", r"\\\`*x*\\\`"])
def test_chat_escaped_ticks(text: str) -> None:
    """A tick behind a backslash would begin no code span, so that what follows it would be a link: none is left."""
    assert not re.search(r"\\`", chat_sentence(f"Problem: {text} was found.", 400))


def test_chat_sentence_keeps_names() -> None:
    """What operators copy stays as it is: keys with underscores, commands in code spans."""
    text = "Set core.max_map_length; run `contactsync config put <FILE>`."
    assert chat_sentence(text, 200) == text.replace("<", "\u2039").replace(">", "\u203a")
    assert chat_sentence("_x_", 200) == "\uff3fx\uff3f"
    assert chat_sentence("`cut *here*`", 7) == "'cut \u2217\u2026"


@pytest.mark.parametrize("text", [*HOSTILE, "", " "])
def test_letters(text: str) -> None:
    """Each form has its letters only, and its length."""
    assert one_line(text, 20).isprintable()
    assert len(one_line(text, 20)) <= 20
    assert re.fullmatch(r"[ -~]{0,20}", ascii_text(text, 20))
    assert re.fullmatch(r"[ -_a-z]{0,20}", gsm_text(text, 20))
    assert not set("[]^{}\\|~`") & set(gsm_text(text, 20))
    assert re.fullmatch(r"`[^`]+`", chat_code(text))


def test_accents() -> None:
    """Accents are taken off where a form lacks them, other scripts become question marks."""
    assert ascii_text("\u00dcber \u2013 caf\u00e9 \u6771\u4eac\u2026", 99) == "Uber - cafe ??..."


def long_notice() -> Notice:
    """Return a notice in which everything is as long as it gets."""
    outcomes = [
        AccountOutcome(
            f"{number:012}",
            "\N{GRINNING FACE}<@" + "n" * 5000,
            ContactType.SECURITY,
            OutcomeStatus.FAILED,
            OutcomeDetail.ERROR,
            error_code=f"{number:03}`" + "c" * 5000,
        )
        for number in range(200)
    ]
    whole = built(outcomes, code="C`" * 900, message="m`" * 1000, notice_id="i" * 2000)
    step = RemedyStep("`s" * 900, "c" * 900)
    causes = (replace(whole.causes[0], steps=(step, RemedyStep("w" * 340, "d" * 170))), *whole.causes[1:])
    return replace(whole, environment="e" * 64, headline="h" * 200, causes=causes, what_happened=("w`" * 1000,) * 6)


@pytest.mark.parametrize("notice", [long_notice(), *map(sample, Scenario)], ids=lambda notice: notice.headline[:20])
def test_limits(notice: Notice) -> None:
    """Every form stays within what its channel takes."""
    message = chat_message(notice)
    content = message["content"]
    assert len(content["title"]) <= TITLE_LENGTH == 250
    assert 0 < len(content["description"]) <= DESCRIPTION_LENGTH == 8000
    assert all(0 < len(step) <= STEP_LENGTH == 350 for step in content["nextSteps"])
    assert all(0 < len(word) <= 75 for word in content["keywords"])
    assert all(line.count("`") % 2 == 0 for line in [*content["description"].splitlines(), *content["nextSteps"]])
    assert json.loads(render_chat(notice)) == message
    assert re.fullmatch(r"[ -~]{1,99}", subject_of(notice))
    assert re.fullmatch(r"[ -_a-z]{1,140}", render_sms(notice))
    assert len(render_text(notice).encode()) + len(render_chat(notice)) + len(render_json(notice)) < 200_000
    assert "\n" not in render_json(notice) + render_chat(notice) + render_sms(notice)


def test_last_step_stays() -> None:
    """However many steps there are, the one that closes the matter is shown, and so is the operation's command."""
    notice = named("a")
    steps = tuple(RemedyStep(f"step {number}") for number in range(30))
    crowded = replace(notice, causes=(replace(notice.causes[0], steps=steps),))
    shown = chat_message(crowded)["content"]["nextSteps"]
    assert len(shown) == 10
    assert "only failed" in shown[-2]
    assert "contactsync operations show" in shown[-1]


def test_commands_whole() -> None:
    """Commands stand on lines of their own, unbroken, so that they can be pasted."""
    for scenario in Scenario:
        notice = sample(scenario)
        lines = [line.strip() for line in render_text(notice).splitlines()]
        assert all(step.command in lines for cause in notice.causes for step in cause.steps if step.command)


def test_json() -> None:
    """The machine's form has a version, and everything that the notice knows."""
    notice = named("plain")
    found = json.loads(render_json(notice))
    assert found["schema"] == "contactsync.notice.v1"
    assert found["severity"] == "high"
    assert found["failures_total"] == 1
    assert found["failures"][0]["account_id"] == "200000000000"
    assert found["operation"]["dag_run_id"] == notice.dag_run_id
    assert found["links"]["run"] == f"https://airflow.example.com/dags/contact_sync/runs/{notice.dag_run_id}"


@pytest.mark.parametrize(
    ("channels", "severity", "expected"),
    [
        (
            ["EMAIL", "SMS", "SLACK", "TEAMS"],
            Severity.HIGH,
            {"EMAIL": ["EMAIL"], "SMS": ["SMS"], "CHAT": ["SLACK", "TEAMS"]},
        ),
        (["EMAIL", "SMS", "SLACK"], Severity.MEDIUM, {"EMAIL": ["EMAIL"], "CHAT": ["SLACK"]}),
        (["SMS"], Severity.LOW, {"SMS": ["SMS"]}),
        (["TEAMS", "SMS"], Severity.LOW, {"CHAT": ["TEAMS"]}),
        (["EMAIL", "SLACK"], Severity.INFO, {}),
    ],
)
def test_routing(channels: list[str], severity: Severity, expected: dict[str, list[str]]) -> None:
    """Each channel gets a notice once, all chats in one message; SMS is for high severity, unless it stands alone."""
    settings = configuration(
        notification_settings={"user_notifications_config": {"delivery_channels": channels}}
    ).notification_settings
    found = deliveries_of(replace(named("a"), severity=severity), settings)
    assert {delivery.attributes["channel"]: list(delivery.channels) for delivery in found} == expected
    assert len(found) == len(expected)
    for delivery in found:
        assert delivery.attributes == {
            "severity": severity,
            "scenario": "complete_failure",
            "channel": delivery.attributes["channel"],
            "environment": "test",
        }


def test_forms_of_channels() -> None:
    """Every channel has the form that its receivers can read."""
    settings = configuration(
        notification_settings={"user_notifications_config": {"delivery_channels": list(DeliveryChannel)}}
    ).notification_settings
    forms = [delivery.form for delivery in deliveries_of(named("a"), settings)]
    assert forms == [NoticeForm.TEXT, NoticeForm.SMS, NoticeForm.CHAT]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("manual__2026-01-01T00:00:00+00:00", "manual__2026-01-01T00:00:00+00:00"),
        ("assumed-role/__r__/s_t", "assumed-role/\uff3f\uff3fr\uff3f\uff3f/s_t"),
        ("~~x~~", "\u223c\u223cx\u223c\u223c"),
        ("www.quagga.example", "www:quagga.example"),
        ("https://quagga.example", "https:quagga.example"),
        ("user/w@quagga.example", "user/w\uff20quagga.example"),
        ("[x](y)*z*", "`[x](y)*z*`"),
    ],
)
def test_names_in_markdown(name: str, shown: str) -> None:
    """An id or a principal in a run's note is shown as it is, and formats, links and mentions nothing."""
    assert markdown_name(name) == shown
