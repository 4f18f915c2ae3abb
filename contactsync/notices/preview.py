"""Previews of notices: each form as it is sent, but JSON with line breaks."""

import json
from collections.abc import Iterator

from contactsync.notices.forms.render_chat import chat_message
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_sms import render_sms
from contactsync.notices.forms.render_text import render_text, subject_of
from contactsync.notices.notice import Notice
from contactsync.notices.routing import NoticeForm


def previewed(notice: Notice, form: NoticeForm) -> str:
    """Return one form of a notice; a mail with its subject."""
    if form is NoticeForm.TEXT:
        return f"Subject: {subject_of(notice)}\n\n{render_text(notice)}"
    if form is NoticeForm.SMS:
        return f"{render_sms(notice)}\n"
    data = chat_message(notice) if form is NoticeForm.CHAT else json.loads(render_json(notice))
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def all_forms(notice: Notice) -> Iterator[str]:
    """Yield every form, each with its name as a title."""
    for form in NoticeForm:
        yield f"=== {form} ===\n{previewed(notice, form)}"
