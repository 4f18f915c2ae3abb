"""A notice for machines: one JSON object in a form that has a version."""

from dataclasses import asdict
from typing import Any, Final

from contactsync.notices.failures import Cause, FailedOutcome
from contactsync.notices.notice import Notice
from contactsync.views.rows import json_text

SCHEMA: Final = "contactsync.notice.v1"
"""Removing a key, or changing its meaning, needs a new version; a key may be added within one."""


def render_json(notice: Notice) -> str:
    """Return one line of JSON in ASCII; it lists the same failed accounts as the text, and their total number."""
    return json_text(notice_facts(notice))


def notice_facts(notice: Notice) -> dict[str, Any]:
    """Return a notice as plain data; times are still datetime objects."""
    return {
        "schema": SCHEMA,
        "notice_id": notice.notice_id,
        "scenario": notice.scenario,
        "severity": notice.severity,
        "environment": notice.environment,
        "time": notice.time,
        "correlation_id": notice.correlation_id,
        "headline": notice.headline,
        "what_happened": notice.what_happened,
        "operation": {
            "sync_id": notice.sync_id,
            "dag_id": notice.dag_id,
            "dag_run_id": notice.dag_run_id,
            "contact_types": notice.contact_types,
            "dry_run": notice.dry_run,
            "started": notice.started,
            "finished": notice.finished,
        },
        "counts": dict(notice.counts),
        "causes": [_cause(cause) for cause in notice.causes],
        "afterwards": [asdict(step) for step in notice.afterwards],
        "failures": [_failure(failure) for failure in notice.failures],
        "failures_total": notice.failures_total,
        "links": asdict(notice.links),
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {**asdict(cause), "code": cause.code or None}


def _failure(failure: FailedOutcome) -> dict[str, Any]:
    return {**asdict(failure), "error_code": failure.error_code or None}
