"""Whatever others wrote has no meaning where it is shown: on terminals, in logs, pages, files and messages."""

import csv
import io
import json
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.bus.events import NoticeRequested, Severity
from contactsync.cli.screen.listing import Output, show_rows
from contactsync.contacts import ContactType
from contactsync.errors import RunRequestError
from contactsync.intake.contact_change import ContactChange
from contactsync.intake.principal import principal_text
from contactsync.notices.forms.render_chat import chat_message
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_sms import render_sms
from contactsync.notices.forms.render_text import render_digest, render_text, subject_of
from contactsync.notices.notice import NoticeOrigin, notice_of
from contactsync.notices.scenarios import Scenario
from contactsync.operations.operation import (
    AccountOutcome,
    Attempt,
    OperationStatus,
    OutcomeDetail,
    OutcomeStatus,
    SyncOperation,
)
from contactsync.plain_text import cell_text, json_shown, log_text, markdown_code, printable
from contactsync.sync.report import stored_report
from contactsync.views.export import operations_csv, operations_json
from contactsync.views.report_table import report_text
from contactsync.views.rows import csv_lines
from tests.support.builders import RUN, operation
from tests.support.fakes.surroundings import START

PIECES = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\x9b2J",
    "\r\nINFO all is well",
    "\u202egnp.exe",
    "\u2066\u2069",
    "\u200b",
    "\u2028",
    "\x00",
    "![ok](http://evil.example/pixel.png)",
    "[press Approve](http://evil.example)",
    "**approved by the CISO**",
    "`",
    "``` \n```",
    "| cell | cell |",
    "<script>alert(1)</script>",
    "<!channel> <@U123> @everyone",
    "[bold red]markup[/]",
    ":smile:",
    "::group::hidden",
    "::ENDGROUP::",
    "{{ ti.task_id }} {% raw %}",
    "%s {0} ${x}",
    '";=1+1;"',
    "x;=1+1;y",
    '=HYPERLINK("http://evil.example")',
    "+1\t=2",
    "Ключ 日本 é ",
]
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), min_size=1, max_size=4).map("".join)


def steers(text: str) -> list[str]:
    """Return the characters that would steer a terminal or hide text; line ends are the renderer's own."""
    return [letter for letter in text if not letter.isprintable() and letter != "\n"]


def spoiled(text: str) -> tuple[SyncOperation, list[AccountOutcome]]:
    """Return an operation and its outcome that hold a text wherever somebody else can write one."""
    security = ContactType.SECURITY
    parts: dict[str, Any] = dict.fromkeys(("initiating_user", "triggered_by", "reason", "note", "dag_run_id"), text)
    made = operation(security, status=OperationStatus.FAILED, finished=START, **parts)
    attempt = Attempt(1, START, START, OutcomeStatus.FAILED, OutcomeDetail.ERROR, error_code=text)
    failed = AccountOutcome("200000000001", text, security).settled(attempt, error_message=text)
    return made, [failed]


@given(hostile)
def test_cells(text: str) -> None:
    """Cells and lines hold nothing that steers a terminal, and keep all that is printable."""
    assert steers(cell_text(text)) == steers(printable(text)) == steers(log_text(text)) == []
    assert "\n" not in cell_text(text)
    assert printable(text).count("\n") == text.count("\n")
    assert "::group" not in log_text(text).lower()
    assert "::endgroup" not in log_text(text).lower()
    if text.isprintable():
        assert cell_text(text) == text


@given(hostile)
def test_markdown(text: str) -> None:
    """A code span begins and ends where it should, in one line and one cell, and mentions nobody."""
    span = markdown_code(text)
    assert span[0] == span[-1] == "`"
    assert not [mark for mark in "`|<>@\n" if mark in span[1:-1]]
    assert steers(span) == []


@given(st.dictionaries(hostile, hostile, max_size=3))
def test_json(value: dict[str, str]) -> None:
    """JSON on a terminal says the same and steers nothing."""
    shown = json_shown(json.dumps(value, ensure_ascii=False, indent=2))
    assert steers(shown) == []
    assert json.loads(shown) == value


@given(hostile)
def test_csv(text: str) -> None:
    """No cell steers a terminal when the file is printed, nor turns the direction of writing."""
    made, failed = spoiled(text)
    written = "".join(operations_csv([made], lambda _: failed))
    assert not [letter for letter in steers(written) if letter not in "\r\t" and category(letter) == "Cc"]
    assert not [letter for letter in "\u202e\u2066\u2069" if letter in written]


@given(st.lists(hostile, min_size=2, max_size=2))
def test_csv_rows(texts: list[str]) -> None:
    """A row stays one row with its cells."""
    lines = list(csv_lines(["a", "b"], [{"a": texts[0], "b": texts[1]}]))
    assert [len(row) for row in csv.reader(io.StringIO("".join(lines), newline=""))] == [2, 2]


@given(hostile)
def test_tables(text: str) -> None:
    """The report and the export steer nothing, and the report has a row for its account and no forged one."""
    made, failed = spoiled(text)
    shown = report_text(stored_report(made, failed, 1), failed)
    assert steers(shown) == []
    assert "::group" not in shown.lower()
    assert steers("".join(operations_json([made], lambda _: failed))) == []


@given(hostile)
def test_listing(text: str) -> None:
    """Tables of the command line take no markup, and steer nothing."""
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr("sys.stdout", out)
        show_rows(("name", "value"), [{"name": text, "value": text}], Output.TABLE)
    assert steers(out.getvalue()) == []


@given(hostile)
def test_notices(text: str) -> None:
    """No form of a notice holds what steers, mentions or links; a chat's code spans are closed."""
    made, failed = spoiled(text)
    asked = NoticeRequested(
        notice_id="n",
        scenario=Scenario.PARTIAL_FAILURE,
        priority=Severity.HIGH,
        code=text,
        message=text,
        dag_run_id=text,
        dag_id=text,
    )
    notice = notice_of(asked, NoticeOrigin("test", text, START), made, failed)
    for shown in (render_text(notice), render_digest(notice, 900), render_sms(notice), subject_of(notice)):
        assert steers(shown) == []
    assert render_json(notice).isascii()
    message = chat_message(notice)
    for shown in (message["content"]["title"], message["content"]["description"], *message["content"]["nextSteps"]):
        assert steers(shown) == []
        assert not [mark for mark in "<>@" if mark in shown]
        assert all(line.count("`") % 2 == 0 for line in shown.split("\n"))


@given(hostile)
def test_run_note(text: str) -> None:
    """The note of a run has nothing to steer, mention, link or mark up with."""
    change = ContactChange(RUN, "t", "PutAlternateContact", "security", "put", principal_text(text), "1", None, None)
    assert steers(change.note) == []
    assert not [mark for mark in "<>@`*[]()|~\n" if mark in change.note]


@given(hostile)
def test_errors(text: str) -> None:
    """A task's last log line is the error's text, whatever it quotes."""
    shown = str(RunRequestError(problems=[text]))
    assert steers(shown) == []
    assert "::group" not in shown.lower()
