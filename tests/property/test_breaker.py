"""The breaker as a state machine: several workers, dying probes and clocks that jump."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contactsync.account_management.api_operations import ApiOperation
from contactsync.pacing.breaker import KEPT_TRANSITIONS, BreakerConfig, BreakerState, Phase
from tests.support.fakes.surroundings import START

WORKERS = 3
MICROSECOND = timedelta(microseconds=1)
CODE = "InternalServerException"

workers = st.integers(0, WORKERS - 1)


@dataclass(frozen=True)
class Call:
    """A call that a worker has under way: as the probe, or as everybody in an episode."""

    token: str | None
    episode: int


class BreakerMachine(RuleBasedStateMachine):
    """Workers do with the stored state what the guard does, one step at a time, in any order."""

    def __init__(self) -> None:
        """Begin closed."""
        super().__init__()
        self.config = BreakerConfig()
        self.state = BreakerState(ApiOperation.PUT_ALTERNATE_CONTACT)
        self.time = START
        self.wrong = [timedelta()] * WORKERS
        self.calls: dict[int, Call] = {}
        self.tokens = 0
        self.begun: dict[str, datetime] = {}
        self.jumped = False

    @initialize(
        open_for=st.floats(1, 60), probe_lease=st.floats(1, 120), window=st.floats(1, 120), max_pause=st.floats(1, 4000)
    )
    def configure(self, open_for: float, probe_lease: float, window: float, max_pause: float) -> None:
        """Take any configuration."""
        self.config = BreakerConfig(open_for=open_for, probe_lease=probe_lease, window=window, max_pause=max_pause)

    def now(self, worker: int) -> datetime:
        """Return the time by a worker's clock."""
        return self.time + self.wrong[worker]

    def change(self, step: Callable[[BreakerState], BreakerState]) -> bool:
        """Store what a step makes of the state, and tell whether it changed anything."""
        before, self.state = self.state, step(self.state)
        if self.state is before:
            return False
        assert self.state.version == before.version + 1
        self._check_transition(before)
        return True

    def _check_transition(self, before: BreakerState) -> None:
        """Check that a change of phase is told, and that nothing else is."""
        told = self.state.transitions[-1:] if self.state.phase is not before.phase else ()
        assert self.state.transitions == (*before.transitions, *told)[-KEPT_TRANSITIONS:]
        for change in told:
            assert (change.before, change.after) == (before.phase, self.state.phase)

    @rule(seconds=st.floats(0, 300))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)

    @rule(worker=workers)
    def wait(self, worker: int) -> None:
        """Wait as long as the breaker tells a worker to."""
        self.time += timedelta(seconds=self.state.seconds_to_wait(self.now(worker), self.config)) + MICROSECOND

    @rule(worker=workers, seconds=st.floats(-1, 1))
    def drift(self, worker: int, seconds: float) -> None:
        """Let a clock go wrong by up to a second."""
        self.wrong[worker] = timedelta(seconds=seconds)

    @rule(worker=workers, days=st.floats(-2, 2))
    def jump(self, worker: int, days: float) -> None:
        """Set a clock wrong by far."""
        self.wrong[worker] = timedelta(days=days)
        self.jumped = True

    @rule(worker=workers)
    def begin(self, worker: int) -> None:
        """Begin a call, when the worker has none and the breaker lets it."""
        if worker in self.calls:
            return
        if self.state.phase is Phase.CLOSED:
            self.calls[worker] = Call(None, self.state.episode)
            return
        now, before = self.now(worker), self.state
        self.tokens += 1
        token = f"probe {self.tokens}"
        if self.change(lambda state: state.claimed(token, now, self.config)):
            assert before.seconds_to_wait(now, self.config) == 0
            assert self.state.since in (before.since, now)
            self._check_lease(before.probe)
            self.begun[token] = self.time
            self.calls[worker] = Call(token, self.state.episode)
        else:
            assert (
                0 < self.state.seconds_to_wait(now, self.config) <= max(self.config.open_for, self.config.probe_lease)
            )

    def _check_lease(self, probe: str | None) -> None:
        """Check that a probe that has not ended keeps the others away for its lease, less what clocks may differ."""
        if probe and not self.jumped:
            longest = timedelta(seconds=self.config.probe_lease - 2)
            assert self.time - self.begun[probe] >= longest

    @rule(worker=workers)
    def succeed(self, worker: int) -> None:
        """End a call with an answer of the service."""
        call, now = self.calls.pop(worker, None), self.now(worker)
        if call is None or call.token is None:
            return
        token, probing = call.token, self.state.is_probed_by(call.token)
        assert self.change(lambda state: state.succeeded(token, now)) is probing
        if probing:
            assert self.state.phase is Phase.CLOSED

    @rule(worker=workers)
    def fail(self, worker: int) -> None:
        """End a call with the service's failure; one that is not a probe's is taken to be one too many."""
        call, now, before = self.calls.pop(worker, None), self.now(worker), self.state
        if call is None:
            return
        if call.token is None:
            opened = self.change(lambda state: state.tripped(now, CODE, call.episode))
            assert opened is (before.phase is Phase.CLOSED and before.episode == call.episode)
            return
        token = call.token
        if self.change(lambda state: state.failed(token, now, CODE)):
            assert before.probe == token
            assert self.state.since == min(now, before.since or now)

    @rule(worker=workers)
    def leave(self, worker: int) -> None:
        """End a task without a call: its write turned out unnecessary."""
        call = self.calls.pop(worker, None)
        if call and call.token:
            token, probing = call.token, self.state.is_probed_by(call.token)
            assert self.change(lambda state: state.released(token)) is probing

    @rule(worker=workers)
    def crash(self, worker: int) -> None:
        """Kill a worker: nobody hears of its call any more."""
        self.calls.pop(worker, None)

    @rule(worker=workers)
    def restart(self, worker: int) -> None:
        """Let an operator clear a halted run."""
        now, before = self.now(worker), self.state
        restarted = self.change(lambda state: state.restarted(now, self.config))
        assert restarted is before.is_overdue(now, self.config)
        assert not self.state.is_overdue(now, self.config)

    @invariant()
    def parts_fit(self) -> None:
        """Remember nothing of an outage when closed, know its start and cause otherwise, and probe only half open."""
        closed = self.state.phase is Phase.CLOSED
        assert (self.state.since is None) is closed
        assert (self.state.tried is None) is closed
        assert (self.state.cause is None) is closed
        assert self.state.probe is None or self.state.phase is Phase.HALF_OPEN

    @invariant()
    def nobody_waits_for_ever(self) -> None:
        """Whatever a clock says, its worker may try now or after twice the configured time."""
        longest = timedelta(seconds=2 * max(self.config.open_for, self.config.probe_lease)) + MICROSECOND
        for worker in range(WORKERS):
            now = self.now(worker)
            assert (
                min(
                    self.state.seconds_to_wait(now, self.config), self.state.seconds_to_wait(now + longest, self.config)
                )
                == 0
            )

    def teardown(self) -> None:
        """When the service is back, whoever comes next brings everybody back, whatever was left behind."""
        now = self.time
        for _ in range(3):
            if self.state.claimed("last", now, self.config).is_probed_by("last"):
                break
            now += timedelta(seconds=self.state.seconds_to_wait(now, self.config)) + MICROSECOND
        state = self.state.claimed("last", now, self.config).succeeded("last", now)
        assert state.phase is Phase.CLOSED


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(stateful_step_count=40)
