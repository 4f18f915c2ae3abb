"""The lock of a deployment: of two commands at once, the second says who runs the first."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from contactsync.clock import Clock
from contactsync.deployment.ports import Bucket, StoredObject
from contactsync.errors import ContactSyncError, DeployRunningError

KEY: Final = "deploying.json"
FRESH: Final = timedelta(minutes=5)
"""How long a lock holds after it was renewed the last time."""
RENEWED: Final = 60.0
"""Seconds between two renewals."""


@dataclass(frozen=True)
class Holder:
    """Who deploys."""

    arn: str
    host: str
    command: str
    """What no other command has: a random id."""
    process: int
    """The id of its process on that host."""
    since: str
    """When the deployment began, as ISO 8601."""


class DeployLock:
    """A lock as an object of the bucket for code, renewed while its holder is at work."""

    def __init__(
        self, bucket: Bucket, holder: Holder, clock: Clock, is_alive: Callable[[Holder], bool] = lambda _: True
    ) -> None:
        """Take who holds it, and a function that says of another holder whether its process may still run."""
        self._is_alive = is_alive
        self._bucket = bucket
        self._holder = holder
        self._clock = clock
        self._stored: StoredObject | None = None
        self._renewed = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; raise DeployRunningError when another command holds it."""
        self._take()
        try:
            yield
        finally:
            self._release()

    def renew(self) -> None:
        """Say that the holder is still at work; raise DeployRunningError when another command has taken the lock."""
        if self._stored is None or self._clock.monotonic() - self._renewed < RENEWED:
            return
        try:
            stored = self._bucket.put_if(KEY, self._content(), etag=self._stored.etag)
        except ContactSyncError as error:
            if error.retryable:  # the next renewal is still in time
                return
            raise
        if stored is None:
            raise self._running(self._read())
        self._stored, self._renewed = stored, self._clock.monotonic()

    def _take(self) -> None:
        stored = self._bucket.put_if(KEY, self._content(), etag=None)
        if stored is None:
            present = self._bucket.look(KEY)
            holder = self._read()
            if present and holder and self._is_alive(holder) and not self._is_over(present):
                raise self._running(holder)
            stored = self._bucket.put_if(KEY, self._content(), etag=present.etag if present else None)
            if stored is None:  # a third command was faster
                raise self._running(self._read())
        self._stored, self._renewed = stored, self._clock.monotonic()

    def _release(self) -> None:
        """Delete the lock; where that fails it ends by itself."""
        try:
            holder = self._read()
            if holder and holder.command == self._holder.command:
                self._bucket.delete([KEY])
        except ContactSyncError:
            return
        finally:
            self._stored = None

    def _is_over(self, present: StoredObject) -> bool:
        return present.time is None or self._clock.now() - present.time > FRESH

    def _content(self) -> bytes:
        renewed = self._clock.now().isoformat()  # other bytes each time, so that the ETag is another one
        return json.dumps({**asdict(self._holder), "renewed": renewed}).encode()

    def _read(self) -> Holder | None:
        try:
            content = json.loads(self._bucket.read(KEY) or b"")
            texts = {name: str(content[name]) for name in ("arn", "host", "command", "since")}
            return Holder(process=int(content["process"]), **texts)
        except (ValueError, KeyError, TypeError):
            return None

    def _running(self, holder: Holder | None) -> DeployRunningError:
        if holder is None:
            return DeployRunningError("Somebody", "another machine", self._clock.now())
        return DeployRunningError(holder.arn, holder.host, _time(holder.since, self._clock.now()))


def _time(text: str, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return otherwise
