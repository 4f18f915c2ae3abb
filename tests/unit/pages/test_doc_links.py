"""Pages that errors, notices and commands name are links where the address of the documentation is known."""

import json
import re

import pytest

from contactsync.cli.app import main
from contactsync.doc_links import known_address, linked, with_links
from contactsync.errors import ScopeEmptyError
from contactsync.notices.forms.rendering import rendered
from contactsync.notices.notice import with_doc_links
from contactsync.notices.routing import NoticeForm
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import Scenario
from contactsync.orchestration.causes import log_cause

ADDRESS = "https://git.example/contact_sync/docs"


@pytest.fixture(autouse=True)
def address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the address, with a slash at its end as people write it."""
    monkeypatch.setenv("CONTACTSYNC_DOCS_URL", f"{ADDRESS}/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see docs/scope.md.", f"see {ADDRESS}/scope.md."),
        ("(docs/operations.md, Approving deletions)", f"({ADDRESS}/operations.md, Approving deletions)"),
        ("docs/adr/0019-warn-ask.md", f"{ADDRESS}/adr/0019-warn-ask.md"),
        ("docs/schemas/envelope.json", f"{ADDRESS}/schemas/envelope.json"),
        ("docs/scope.md#units", f"{ADDRESS}/scope.md#units"),
        ("docs/a.md and docs/b.md", f"{ADDRESS}/a.md and {ADDRESS}/b.md"),
        (f"{ADDRESS}/scope.md", f"{ADDRESS}/scope.md"),
        ("other/docs/scope.md", "other/docs/scope.md"),
        ("docs/", "docs/"),
        ("docs/scope.mdx", "docs/scope.mdx"),
    ],
)
def test_links(text: str, expected: str) -> None:
    """Each page becomes an address once, and what is no page of ours stays."""
    assert linked(text) == expected
    assert linked(expected) == expected
    assert with_links(text, None) == text


@pytest.mark.parametrize(
    "text", ["git.example", "ftp://git.example", "https://a b", "https://a@b", "", "  ", "https://x|y"]
)
def test_no_address(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address, or with a wrong one, a text stays as it is; nothing fails for it."""
    monkeypatch.setenv("CONTACTSYNC_DOCS_URL", text)
    assert known_address() is None
    assert linked("see docs/scope.md") == "see docs/scope.md"


@pytest.mark.parametrize("form", [form for form in NoticeForm if form is not NoticeForm.SMS])
@pytest.mark.parametrize("scenario", Scenario)
def test_notices(scenario: Scenario, form: NoticeForm) -> None:
    """Mails, chat messages and JSON have the links whole, and no page without one."""
    plain = rendered(sample(scenario), form)
    text = rendered(with_doc_links(sample(scenario), ADDRESS), form)
    pages = re.findall(r"docs/[a-z-]+\.md", plain)
    assert re.findall(rf"{ADDRESS}/[a-z-]+\.md", text) == [page.replace("docs", ADDRESS) for page in pages]
    assert len(re.findall(r"docs/[a-z-]+\.md", text)) == len(pages)
    if form is not NoticeForm.TEXT:
        json.loads(text)


def test_some_notice_names_a_page() -> None:
    """The test above has something to find."""
    notices = [with_doc_links(sample(scenario), ADDRESS) for scenario in Scenario]
    assert any(ADDRESS in rendered(notice, NoticeForm.TEXT) for notice in notices)
    assert not any(ADDRESS in rendered(notice, NoticeForm.SMS) for notice in notices)


def test_task_log(caplog: pytest.LogCaptureFixture) -> None:
    """The last lines of a red task's log have the link in one piece."""
    log_cause({"exception": ScopeEmptyError(contact_types=["security"], version=1)})
    assert any(f"{ADDRESS}/scope.md" in message for message in caplog.messages)


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What a command says when it fails has it, too."""
    monkeypatch.delenv("CONTACTSYNC_STATE_TABLE", raising=False)
    monkeypatch.setattr("sys.argv", ["contactsync", "operations", "list"])
    with pytest.raises(SystemExit):
        main()
    assert f"{ADDRESS}/settings.md" in capsys.readouterr().err
