"""Whether the stacks of a deployment are whole, and are as their templates say."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from contactsync.checks.findings import Finding, failed, ok, unknown, unknown_because
from contactsync.checks.health_ports import DriftStatus, LiveStack, Stacks
from contactsync.checks.target import NEEDED, Found, Target
from contactsync.clock import Clock
from contactsync.errors import ContactSyncError, CredentialsError

STACKS: Final = "stacks"
DRIFT: Final = "drift"

HEALTHY: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
CAN_DRIFT: Final = HEALTHY | {"UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}
"""Statuses in which CloudFormation looks for drift."""

LIMIT: Final = 300.0
"""Seconds for which drift is waited for; CloudFormation needs seconds to minutes for each stack."""
POLL: Final = 3.0

_NAMED: Final = 5
"""Number of resources that a sentence names."""


def check_stacks(target: Target, stacks: list[LiveStack]) -> Iterator[Finding]:
    """Look at each stack's status; those without which no command works must be there."""
    if not stacks:
        yield failed(
            STACKS,
            f"There is no stack of environment {target.environment} in {' and '.join(target.regions)}.",
            "Check the environment's name, the account (--profile) and the region; or deploy it.",
        )
        return
    there = {stack.name for stack in stacks}
    wrong = [
        failed(STACKS, f"There is no stack {target.full_name(name)}.", "Deploy again: contactsync deploy.")
        for name in NEEDED
        if name not in there
    ]
    wrong += [_unhealthy(stack) for stack in stacks if stack.status not in HEALTHY]
    yield from wrong or [ok(STACKS, f"{len(stacks)} stacks are complete.")]


def _unhealthy(stack: LiveStack) -> Finding:
    why = f": {stack.reason}" if stack.reason else ""
    sentence = f"Stack {stack.full_name} in {stack.region} is {stack.status}{why}."
    if stack.status.endswith("_IN_PROGRESS"):
        return failed(STACKS, sentence, "Somebody changes it: wait, then validate again.")
    return failed(STACKS, sentence, "Deploy again: contactsync deploy goes on from there.")


@dataclass
class DriftCheck:
    """CloudFormation's look for drift, which takes a while: it begins early, and is read at the end."""

    stacks: Stacks
    clock: Clock
    limit: float = LIMIT
    _looks: list[tuple[LiveStack, str]] = field(default_factory=list)
    _wrong: list[Finding] = field(default_factory=list)

    def begin(self, found: Found) -> None:
        """Begin for every stack that can drift."""
        for stack in found.stacks:
            if stack.status in CAN_DRIFT:
                try:
                    self._looks.append((stack, self.stacks.look_for_drift(stack)))
                except CredentialsError:
                    raise
                except ContactSyncError as error:
                    self._wrong.append(unknown_because(DRIFT, error))

    def read(self) -> Iterator[Finding]:
        """Wait for the results, and yield a finding for each stack that has drifted, or one that none has."""
        end = self.clock.monotonic() + self.limit
        wrong = [*self._wrong]
        for stack, look in self._looks:
            try:
                wrong += self._result(stack, look, end)
            except CredentialsError:
                raise
            except ContactSyncError as error:
                wrong.append(unknown_because(DRIFT, error))
        # A permission that is missing for every stack is said once.
        yield from dict.fromkeys(wrong) or [ok(DRIFT, f"{len(self._looks)} stacks are as their templates say.")]

    def _result(self, stack: LiveStack, look: str, end: float) -> Iterator[Finding]:
        drift = self.stacks.drift(stack, look)
        while drift.status is DriftStatus.IN_PROGRESS and self.clock.monotonic() < end:
            self.clock.sleep(POLL)
            drift = self.stacks.drift(stack, look)
        if drift.status is DriftStatus.IN_PROGRESS:
            sentence = f"CloudFormation still looks for drift of {stack.full_name} after {self.limit:.0f} seconds."
            yield unknown(DRIFT, sentence, "Validate again in some minutes.")
        elif drift.status is DriftStatus.FAILED and not drift.resources:
            sentence = f"CloudFormation could not look for drift of {stack.full_name}: {drift.reason or 'no reason'}."
            yield unknown(DRIFT, sentence, "Allow the caller to read every kind of resource in the stack.")
        elif drift.resources:
            named = ", ".join(drift.resources[:_NAMED])
            more = f" and {len(drift.resources) - _NAMED} more" if len(drift.resources) > _NAMED else ""
            yield failed(
                DRIFT,
                f"Stack {stack.full_name} has drifted: {named}{more} changed outside of CloudFormation.",
                "Undo the change, or put it into the parameters and deploy; the console shows each difference (Stack "
                "actions, View drift results).",
            )
