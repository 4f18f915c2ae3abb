"""A notice in each of its forms, as it is sent."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from contactsync.notices.forms.render_chat import render_chat
from contactsync.notices.forms.render_json import render_json
from contactsync.notices.forms.render_sms import render_sms
from contactsync.notices.forms.render_text import render_text
from contactsync.notices.notice import Notice
from contactsync.notices.routing import NoticeForm

RENDERERS: Final[Mapping[NoticeForm, Callable[[Notice], str]]] = MappingProxyType(
    {
        NoticeForm.TEXT: render_text,
        NoticeForm.JSON: render_json,
        NoticeForm.CHAT: render_chat,
        NoticeForm.SMS: render_sms,
    }
)


def rendered(notice: Notice, form: NoticeForm) -> str:
    """Return one form of a notice."""
    return RENDERERS[form](notice)
