"""Look-ups for newer configuration versions: what is believed is never older than it may be, nor than its version."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from contactsync.contacts import ContactType
from contactsync.errors import ThrottledError
from contactsync.operations.operation import SyncOperation
from contactsync.scope.placements import PLACES_LAST
from contactsync.sync.account.exclusions import LATELY, Exclusions
from tests.support.builders import account, configuration, operation
from tests.support.fakes.surroundings import FakeOrganization
from tests.support.worlds.world import World

SECURITY = ContactType.SECURITY
IDS = tuple(account(number).account_id for number in range(1, 4))
UNITS = ("Workloads", "Sandbox", "Closed", "Closed/Old")

WAITS: Final = (1, 29, 31, 61, 179, 181, 299, 301, 400)
SHORT_WAITS: Final = (1, 20)
ACCIDENTS: Final = 2
LONGEST_WALK: Final = ACCIDENTS * max(SHORT_WAITS)
BELIEVED: Final = PLACES_LAST.total_seconds() + LATELY + LONGEST_WALK
"""For so long, in seconds, something may be believed after it was seen: what a walk found counts from its end."""

indexes = st.integers(0, len(IDS) - 1)
changes = st.one_of(
    st.tuples(st.just("move"), indexes, st.sampled_from(UNITS)),
    st.tuples(st.just("tag"), indexes, st.booleans()),
    st.tuples(st.just("store"), st.sampled_from(["Sandbox", "Closed"]), st.booleans()),
)
waits = st.tuples(st.just("wait"), st.sampled_from(WAITS), st.none())
short_waits = st.tuples(st.just("wait"), st.sampled_from(SHORT_WAITS), st.none())
disasters = st.sampled_from([("kill", 0, None), ("fail", 0, None)])
accidents = st.dictionaries(st.integers(0, len(UNITS)), st.one_of(changes, short_waits, disasters), max_size=ACCIDENTS)
"""What happens while a process asks, and after how many listings."""
questions = st.tuples(st.just("ask"), indexes, accidents)
steps = st.one_of(changes, waits, questions, st.tuples(st.just("ask again"), indexes, st.just({})))


class KilledError(BaseException):
    """The process ended."""


@dataclass
class WatchedOrganization(FakeOrganization):
    """An organization in which things happen between two listings."""

    between: Callable[[], None] = lambda: None

    def accounts_in(self, unit_id: str) -> Iterator[str]:
        """List, and let something happen."""
        yield from list(super().accounts_in(unit_id))
        self.between()


def many() -> SyncOperation:
    """Return an operation that concerns many accounts, planned with the first version, which excludes nobody."""
    made = operation(SECURITY)
    return replace(made, plans={SECURITY: replace(made.plans[SECURITY], expected=100)})


def world_of() -> World:
    """Return a world of a few accounts."""
    world = World.of(len(IDS))
    organization = WatchedOrganization(world.organization.members, world.organization.caller, empty_units=list(UNITS))
    organization.places = dict.fromkeys(IDS, "Workloads")
    world.organization = organization
    return world


@dataclass
class History:
    """What was true of every account, and since when, beside what processes were told."""

    world: World = field(default_factory=world_of)
    past: list[tuple[float, dict[str, str], dict[str, dict[str, str]]]] = field(default_factory=list)
    began: dict[int, float] = field(default_factory=dict)
    """Since when each version is in force."""
    process: Exclusions | None = None

    def __post_init__(self) -> None:
        """Begin with what is true now."""
        self._note()

    @property
    def version(self) -> int:
        """The version in force."""
        return len(self.world.configurations.versions)

    def happen(self, what: str, first: Any, second: Any) -> None:
        """Let something happen."""
        organization = self.world.organization
        match what:
            case "move":
                organization.places = {**organization.places, IDS[first]: second}
            case "tag":
                organization.tags = {**organization.tags, IDS[first]: {"contacts": "own"} if second else {}}
            case "store":
                tags: dict[str, list[str]] = {"contacts": ["own"]} if second else {}
                scope = {"exclude": {"organizational_units": [first], "tags": tags}}
                self.world.configurations.store(configuration(scope=scope))
            case "wait":
                self.world.clock.sleep(first)
            case "kill":
                raise KilledError
            case "fail":
                raise ThrottledError("ListAccountsForParent", "TooManyRequestsException")
            case "ask" | "ask again":
                self._ask(IDS[first], second, new=what == "ask")
        self._note()

    def _note(self) -> None:
        clock, organization = self.world.clock, self.world.organization
        self.past.append((clock.monotonic(), dict(organization.places), dict(organization.tags)))
        self.began.setdefault(self.version, clock.monotonic())

    def _ask(self, account_id: str, accidents: dict[int, Any], *, new: bool) -> None:
        """Ask as a task does, in its own process or in the last one, and compare with what may be believed."""
        coming = dict(accidents)
        listings = iter(range(100))

        def happen() -> None:
            if accident := coming.pop(next(listings), None):
                self.happen(*accident)

        organization = self.world.organization
        assert isinstance(organization, WatchedOrganization)
        organization.between = happen
        self.process = self.world.exclusions if new or self.process is None else self.process
        since, version = self.world.clock.monotonic() - BELIEVED, self.version
        try:
            excluded = self.process.excludes(many(), self.world.configurations.versions[0], account_id, SECURITY)
        except KilledError:
            self.process = None
            return
        finally:
            organization.between = lambda: None
        # One that a version excludes which is replaced meanwhile may be left alone, but never the other way round.
        judged = range(version if excluded else self.version, self.version + 1)
        right = {answer for number in judged for answer in self._answers(account_id, number, since)}
        assert excluded in right

    def _answers(self, account_id: str, version: int, since: float) -> Iterator[bool]:
        """Yield what was right at any moment since then and since the version is in force."""
        rule = self.world.configurations.versions[version - 1].scope.exclude
        begin = max(since, self.began[version])
        ends = [moment for moment, *_ in self.past[1:]]
        for (_, places, tags), end in zip(self.past, [*ends, float("inf")], strict=True):
            if end >= begin:
                inside = any(f"{places[account_id]}/".startswith(f"{unit}/") for unit in rule.organizational_units)
                yield inside or any(tags.get(account_id, {}).get(key) == "own" for key in rule.tags)


STORED: Final = ("store", "Closed", False)
ASKED: Final = ("ask", 0, {})
MOVED_AFTER_CLOSED: Final = {1: ("move", 0, "Closed")}


@example([STORED, ASKED, ("move", 0, "Closed"), ("wait", 301, None), ASKED])
@example([STORED, ASKED, ("move", 0, "Closed"), ("wait", 301, None), ("wait", 301, None), ("ask again", 0, {})])
@example([("move", 0, "Closed/Old"), STORED, ("wait", 400, None), ("ask", 0, MOVED_AFTER_CLOSED)])
@given(st.lists(steps, min_size=2, max_size=40))
def test_what_is_believed(history: list[tuple[str, Any, Any]]) -> None:
    """No account is written, or left alone, for what was true of it longer ago than may be believed."""
    world = History()
    for step in history:
        world.happen(*step)
