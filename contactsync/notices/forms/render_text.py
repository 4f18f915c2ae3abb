"""A notice as a mail: a subject that SNS accepts, and a text that any mail program shows."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from contactsync.errors.remedies import RemedyStep
from contactsync.notices.failures import Cause, FailedOutcome
from contactsync.notices.notice import Notice
from contactsync.notices.plain_text import ascii_text, cut

SUBJECT_LENGTH: Final = 99
"""Characters of a subject; SNS accepts less than 100, in ASCII (API reference, Publish)."""

WIDTH: Final = 78
"""Columns of the text; commands and addresses are never broken into lines."""


def subject_of(notice: Notice) -> str:
    """Return the subject: severity, deployment, headline; ASCII without line breaks, shorter than 100 characters."""
    return ascii_text(
        f"[{notice.severity.upper()}] contactsync {notice.environment}: {notice.headline}", SUBJECT_LENGTH
    )


def render_text(notice: Notice) -> str:
    """Return the text; it lists the first failed accounts, and says where the full list is."""
    parts = [_head(notice), _numbers(notice), _to_do(notice), _accounts(notice), _links(notice), _foot(notice)]
    return f"{_joined(parts)}\n"


def render_digest(notice: Notice, length: int) -> str:
    """Return the text with at most `length` characters: links and ids stay whole, the text before them is cut."""
    end = _joined([_links(notice), _foot(notice)])
    start = _joined([_head(notice), _numbers(notice), _to_do(notice), _accounts(notice)])
    return cut(f"{cut(start, max(length - len(end) - 2, 1))}\n\n{end}", length)


def _joined(parts: Iterable[Iterator[str]]) -> str:
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def _head(notice: Notice) -> Iterator[str]:
    yield from _wrapped(notice.headline)
    for sentence in notice.what_happened:
        yield ""
        yield from _wrapped(sentence)


def _numbers(notice: Notice) -> Iterator[str]:
    yield from _wrapped(notice.counts_line)


def _to_do(notice: Notice) -> Iterator[str]:
    if not notice.causes:
        return
    yield "WHAT TO DO"
    for number, cause in enumerate(notice.causes, start=1):
        yield ""
        yield from _wrapped(f"{number}. {cause_line(cause)}")
        for step in cause.steps:
            yield from _step(step)
    for step in notice.afterwards:
        yield ""
        yield from _wrapped(step.say)


def cause_line(cause: Cause) -> str:
    """Return a cause in one line: its name, code, number of accounts and meaning."""
    code = f" ({cause.code})" if cause.code else ""
    accounts = f", {cause.accounts} account{'' if cause.accounts == 1 else 's'}" if cause.accounts else ""
    return f"{cause.name}{code}{accounts}: {cause.meaning}"


def _step(step: RemedyStep) -> Iterator[str]:
    yield from _wrapped(f"- {step.say}", "   ", "     ")
    if step.command:
        yield f"       {step.command}"


def _accounts(notice: Notice) -> Iterator[str]:
    if not notice.failures:
        return
    listed = f", the first {len(notice.failures)}" if notice.failures_left_out else ""
    yield f"FAILED ({len(notice.failures) + notice.failures_left_out}{listed})"
    yield ""
    yield from (f"  {_failure(failure)}" for failure in notice.failures)
    if notice.failures_left_out:
        yield f"  and {notice.failures_left_out} more; the full list is below."


def _failure(failure: FailedOutcome) -> str:
    code = f" ({failure.error_code})" if failure.error_code else ""
    retries = f", {failure.retry_count} retries" if failure.retry_count else ""
    return f"{failure.account_id}  {failure.account_name}  {failure.contact_type}: {failure.detail}{code}{retries}"


def _links(notice: Notice) -> Iterator[str]:
    export = notice.links.export
    places = (
        ("Run in Airflow", notice.links.run),
        ("Operation", notice.links.operation),
        ("All outcomes as a file", notice.links.outcomes),
        ("Full list of failures, kept for 35 days", export and f"aws s3 cp {export} failures.csv"),
    )
    for name, place in places:
        if place:
            yield f"{name}:"
            yield f"  {place}"


def _foot(notice: Notice) -> Iterator[str]:
    yield "-- "
    yield f"contactsync {notice.environment}, {notice.severity} priority, {notice.scenario}"
    yield f"notice {notice.notice_id}"
    yield f"correlation id {notice.correlation_id}"


def _wrapped(text: str, first: str = "", following: str | None = None) -> list[str]:
    rest = first if following is None else following
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
