"""One stack brought to its end: attached to, created again, continued, created or updated, and watched meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from contactsync.clock import Clock
from contactsync.deployment.blueprint import WantedStack
from contactsync.deployment.live import REVIEW, ChangeSet, LiveStack, Rest, StackEvent
from contactsync.deployment.ports import Screen, Stacks
from contactsync.errors import ContactSyncError, DeployCutOffError, Reader, StackFailedError

POLL: Final = 5.0
"""Seconds between two looks at a stack."""
PATIENCE: Final = 20
"""How many looks in a row may fail, for a cause that may pass."""
UNSEEN: Final = 60.0
"""Seconds after which a status at rest is believed although no event has said so."""
MOST_CAUSES: Final = 3
FOLLOWED: Final = "Resource creation cancelled"
"""What CloudFormation says of resources that failed only because others did."""

T = TypeVar("T")


class StackRuns:
    """The stacks of a deployment, one after the other."""

    def __init__(
        self,
        stacks: Mapping[str, Stacks],
        screen: Screen,
        clock: Clock,
        *,
        meanwhile: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Take CloudFormation by region; `meanwhile` is called at each look, and says more about a stack."""
        self._stacks = stacks
        self._screen = screen
        self._clock = clock
        self._meanwhile = meanwhile
        self._running: tuple[str, str] | None = None

    @property
    def running(self) -> str:
        """What goes on at AWS without this command, in a sentence."""
        if self._running is None:
            return "Nothing is running at AWS."
        name, region = self._running
        return f"CloudFormation goes on with {name} in {region} without this command."

    def find(self, stack: WantedStack) -> LiveStack | None:
        """Return the stack as it is now; None when there is none."""
        return self._patient(lambda: self._in(stack).find(stack.name))

    def wait(self, stack: WantedStack) -> LiveStack | None:
        """Wait for what somebody has begun with a stack; return the stack at rest, or None."""
        live = self.find(stack)
        if live is None or live.rest is not Rest.MOVING:
            return live
        self._screen.begin(stack.name, f"is {live.status} already: waiting for it")
        return self._follow(stack, live.stack_id, self._newest(stack, live.stack_id))

    def settle(self, stack: WantedStack) -> LiveStack | None:
        """Make a stack usable: wait, continue a rollback, delete what can only be deleted; None: it is to be created.

        Raises StackFailedError when it stays as it is.
        """
        live = self.wait(stack)
        if live is None or (live.rest is Rest.ABSENT and live.status != REVIEW):
            return None
        if live.rest in {Rest.USELESS, Rest.ABSENT}:
            self._delete(stack, live)
            return None
        if live.rest is Rest.STUCK:
            self._screen.begin(stack.name, "the rollback is continued")
            after = self._newest(stack, live.stack_id)
            self._in(stack).continue_rollback(stack.name)
            live = self._follow(stack, live.stack_id, after, began=True)
            if live is None or live.rest is not Rest.USABLE:
                raise self._failure(stack, live, after)
        return live

    def carry_out(self, stack: WantedStack, change_set: ChangeSet, live: LiveStack | None) -> LiveStack:
        """Execute a change set and watch it to its end; raise StackFailedError when it fails."""
        after = self._newest(stack, live.stack_id) if live else None
        self._screen.begin(stack.name, "is updated" if live else "is created")
        self._in(stack).execute(change_set)
        self._running = stack.name, stack.region
        name = live.stack_id if live else stack.name
        ended = self._follow(stack, name, after, began=True)
        if ended is None or ended.rest is not Rest.USABLE or ended.has_failed:
            raise self._failure(stack, ended, after)
        return ended

    def remove(self, stack: WantedStack, live: LiveStack) -> None:
        """Delete a stack and watch it to its end; raise StackFailedError when something of it cannot be deleted."""
        self._delete(stack, live)

    def _delete(self, stack: WantedStack, live: LiveStack) -> None:
        self._screen.begin(stack.name, f"is deleted ({live.status})")
        if live.is_protected:
            self._in(stack).protect(stack.name, on=False)
        after = self._newest(stack, live.stack_id)
        self._in(stack).delete(live.stack_id)
        ended = self._follow(stack, live.stack_id, after, began=True)
        if ended is not None and ended.rest is not Rest.ABSENT:
            raise self._failure(stack, ended, after)

    def _follow(self, stack: WantedStack, name: str, after: str | None, *, began: bool = False) -> LiveStack | None:
        """Look at a stack until it is at rest, and show its events; `name` is its id where that is known."""
        self._running = stack.name, stack.region
        since, seen_end = self._clock.monotonic(), not began
        try:
            while True:
                live = self._patient(lambda: self._in(stack).find(name))
                for event in self._events(stack, live.stack_id, after) if live else []:
                    after = event.event_id
                    self._screen.event(event)
                    seen_end = _ends(event, stack.name) or (seen_end and not _begins(event, stack.name))
                waited = self._clock.monotonic() - since
                if live is None or (live.rest is not Rest.MOVING and (seen_end or waited > UNSEEN)):
                    break
                more = self._meanwhile(stack.name)
                self._screen.tick(stack.name, f"{live.status}; {more}" if more else live.status)
                self._clock.sleep(POLL)
        except ContactSyncError as error:
            raise DeployCutOffError(error.sentence_for(Reader.RECORD), self.running) from error
        self._running = None
        self._screen.end(stack.name, live.status if live else "DELETE_COMPLETE")
        return live

    def _newest(self, stack: WantedStack, stack_id: str) -> str | None:
        return self._patient(lambda: self._in(stack).newest_event(stack_id))

    def _events(self, stack: WantedStack, stack_id: str, after: str | None) -> list[StackEvent]:
        return self._patient(lambda: self._in(stack).events(stack_id, after))

    def _failure(self, stack: WantedStack, live: LiveStack | None, after: str | None) -> StackFailedError:
        if live is None:
            return StackFailedError(stack.name, stack.region, "DELETE_COMPLETE", ())
        events = self._events(stack, live.stack_id, after)
        return StackFailedError(stack.name, stack.region, live.status, tuple(causes(events)) or _reason(live))

    def _in(self, stack: WantedStack) -> Stacks:
        return self._stacks[stack.region]

    def _patient(self, look: Callable[[], T]) -> T:
        """Look again while a cause lasts that may pass, such as throttling or a lost connection."""
        for _ in range(PATIENCE - 1):
            try:
                return look()
            except ContactSyncError as error:
                if not error.retryable:
                    raise
                self._screen.say(f"{error} Looking again.")
                self._clock.sleep(POLL)
        return look()


def causes(events: list[StackEvent]) -> Iterator[str]:
    """Yield why resources failed, the first ones first; a resource that was cancelled names no cause."""
    failed = [one for one in events if one.is_failure and not one.is_of_stack and FOLLOWED not in one.reason]
    for event in failed[:MOST_CAUSES]:
        yield f"{event.logical_id} ({event.resource_type}) {event.status}: {event.reason or 'without a reason'}"


def _reason(live: LiveStack) -> tuple[str, ...]:
    return (live.reason,) if live.reason else ()


def _ends(event: StackEvent, name: str) -> bool:
    of_stack = event.is_of_stack and event.logical_id == name
    return of_stack and not event.status.endswith("_IN_PROGRESS")


def _begins(event: StackEvent, name: str) -> bool:
    return event.is_of_stack and event.logical_id == name and event.status.endswith("_IN_PROGRESS")
