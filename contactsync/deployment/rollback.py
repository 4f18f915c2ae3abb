"""Which earlier release is deployed again."""

import difflib
from collections.abc import Sequence

from contactsync.deployment.records import Record
from contactsync.errors import DataTooNewError, ReleaseUnknownError


def choose(records: Sequence[Record], wanted: str | None) -> Record:
    """Return the release with this id, or without one the release before the present one.

    `records` are in the order of time, the newest first. Raises ReleaseUnknownError when there is no such release, and
    DataTooNewError when it cannot read what a newer one may have written.
    """
    complete = [one for one in records if one.is_complete]
    chosen = _named(complete, wanted) if wanted else _before(complete)
    if chosen is None:
        known = tuple(one.release_id for one in complete)
        near = difflib.get_close_matches(wanted or "", known, n=1)
        raise ReleaseUnknownError(wanted or "", known, near[0] if near else "")
    newest = max(one.data_format for one in records)
    if chosen.data_format < newest:
        raise DataTooNewError(chosen.release_id, chosen.data_format, newest)
    return chosen


def _named(records: Sequence[Record], wanted: str) -> Record | None:
    return next((one for one in records if one.release_id == wanted), None)


def _before(records: Sequence[Record]) -> Record | None:
    """Return the newest release that is another one than the present: other packages, or other values."""
    if not records:
        return None
    present = records[0]
    return next((one for one in records if (one.digest, one.given) != (present.digest, present.given)), None)
