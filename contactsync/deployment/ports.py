"""What a deployment needs of AWS and of the screen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contactsync.deployment.live import AirflowEnvironment, ChangeSet, LiveStack, StackEvent

Values = Mapping[str, str | None]
"""Values of a template's parameters; None keeps the value that the stack has."""


class Stacks(Protocol):
    """CloudFormation in one region."""

    def find(self, name: str) -> LiveStack | None:
        """Return a stack by its name or id; None when there is none."""

    def plan(self, name: str, body: str, values: Values, *, is_new: bool) -> ChangeSet:
        """Make a change set and wait until it is ready; one without changes is removed, and returned as empty.

        A new stack adopts existing resources that have a name and are kept when their stack is deleted.
        Raises ChangeSetFailedError when CloudFormation refuses it.
        """

    def execute(self, change_set: ChangeSet) -> None:
        """Begin with a change set; StackEvent and LiveStack say how it goes on."""

    def discard(self, change_set: ChangeSet) -> None:
        """Remove a change set that is not executed."""

    def newest_event(self, stack_id: str) -> str | None:
        """Return the id of a stack's newest event."""

    def events(self, stack_id: str, after: str | None) -> list[StackEvent]:
        """Return a stack's events after the one with this id, the oldest first; all of them without an id."""

    def resources(self, stack_id: str) -> list[tuple[str, str, str]]:
        """Return the resources that a stack has: logical id, type, and what AWS identifies each by."""

    def delete(self, name: str) -> None:
        """Begin to delete a stack."""

    def continue_rollback(self, name: str) -> None:
        """Begin again with the rollback of an update."""

    def protect(self, name: str, *, on: bool) -> None:
        """Switch the termination protection of a stack."""


@dataclass(frozen=True)
class StoredObject:
    """An object of a bucket, without its content."""

    key: str
    etag: str
    """Without quotes; of an object of one part, encrypted by S3 itself, it is the MD5 digest."""
    version: str = ""
    sha256: str = ""
    """What whoever put it has noted; empty if nobody has."""
    time: datetime | None = None


class Bucket(Protocol):
    """A bucket with versions."""

    name: str

    def listed(self, prefix: str) -> Iterator[StoredObject]:
        """Yield all objects whose keys begin so, without their versions and notes."""

    def look(self, key: str) -> StoredObject | None:
        """Return what is known of an object."""

    def read(self, key: str) -> bytes | None:
        """Return an object's content; None when there is none."""

    def put(self, key: str, content: bytes, *, sha256: str = "") -> StoredObject:
        """Store an object, with its digest as a note."""

    def put_if(self, key: str, content: bytes, *, etag: str | None) -> StoredObject | None:
        """Store an object only if the present one has this ETag, or, with None, if there is none; else return None."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; their earlier versions stay."""


class Buckets(Protocol):
    """The buckets that the artifacts stacks make."""

    def bucket(self, name: str, region: str) -> Bucket:
        """Return a bucket by its name."""


class Environments(Protocol):
    """MWAA environments of the deployment's region."""

    def find(self, name: str) -> AirflowEnvironment | None:
        """Return an environment's status; None when there is none."""


class Airflow(Protocol):
    """Airflow's REST API; paths begin after /api/v2."""

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request, and return the object in the answer; raise AirflowRefusedError for an error of Airflow."""


class Screen(Protocol):
    """Where progress is shown."""

    def say(self, sentence: str) -> None:
        """Show a sentence."""

    def begin(self, stack: str, doing: str) -> None:
        """Show that something begins with a stack."""

    def event(self, event: StackEvent) -> None:
        """Show an event of a stack."""

    def tick(self, stack: str, state: str) -> None:
        """Show that a stack is still in a state; called at every poll."""

    def end(self, stack: str, state: str) -> None:
        """Show how it ended."""
