"""Every notice in every form, as it was looked at and found good: tests/data/notices.

A wanted change of a text changes these files. Renew them, and look at the difference before it is committed:

    RENEW_GOLDEN_FILES=1 python -m pytest tests/unit/notices/test_golden.py && git diff tests/data/notices
"""

import os
from pathlib import Path
from typing import Final

import pytest

from contactsync.notices.preview import previewed
from contactsync.notices.routing import NoticeForm
from contactsync.notices.samples import sample
from contactsync.notices.scenarios import Scenario

GOLDEN: Final = Path(__file__).parents[2] / "data" / "notices"
RENEW: Final = "RENEW_GOLDEN_FILES"
SUFFIXES: Final = {
    NoticeForm.TEXT: "txt",
    NoticeForm.JSON: "json",
    NoticeForm.CHAT: "chat.json",
    NoticeForm.SMS: "sms.txt",
}


def golden(scenario: Scenario, form: NoticeForm) -> Path:
    """Return the file of one notice in one form."""
    return GOLDEN / f"{scenario}.{SUFFIXES[form]}"


@pytest.mark.parametrize("form", NoticeForm)
@pytest.mark.parametrize("scenario", Scenario)
def test_golden(scenario: Scenario, form: NoticeForm) -> None:
    """Each sample reads as its golden file does."""
    found, file = previewed(sample(scenario), form), golden(scenario, form)
    if os.environ.get(RENEW):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8"), f"When this is wanted, renew the files with {RENEW}=1."


def test_no_other_files() -> None:
    """There is no golden file of a notice that is gone."""
    assert set(GOLDEN.iterdir()) == {golden(scenario, form) for scenario in Scenario for form in NoticeForm}
