"""A deployment from the first look to its end: what would change, and all of it carried out in order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final

from contactsync.clock import Clock
from contactsync.deployment.airflow import Health, environment_words
from contactsync.deployment.blueprint import Blueprint, WantedStack
from contactsync.deployment.live import ChangeSet, LiveStack, Rest
from contactsync.deployment.lock import DeployLock, Holder
from contactsync.deployment.ports import Bucket, Buckets, Environments, Screen, Stacks, Values
from contactsync.deployment.preview import (
    STACK_TYPE,
    Row,
    check_replacements,
    rows_of,
    rows_of_new,
    updates_environment,
)
from contactsync.deployment.records import Record, Records, files_of
from contactsync.deployment.release import Release
from contactsync.deployment.removal import Removal
from contactsync.deployment.stack_runs import StackRuns
from contactsync.deployment.uploads import UploadPlan, plan_uploads, upload
from contactsync.errors import ContactSyncError, StackFailedError

ARTIFACTS: Final = "artifacts"
ARTIFACTS_TRIGGER: Final = "artifacts-trigger"
ARTIFACTS_TEMPLATE: Final = "artifacts.yaml"
BUCKET: Final = "CodeBucketName"
AIRFLOW: Final = "airflow"
ENVIRONMENT_NAME: Final = "EnvironmentName"
PROTECTION: Final = "termination protection"


@dataclass(frozen=True)
class Step:
    """What happens to one stack."""

    stack: WantedStack
    live: LiveStack | None
    values: Values
    change_set: ChangeSet | None = None
    """None if the stack is created, or CloudFormation is at work on it."""
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What a deployment would do."""

    steps: tuple[Step, ...]
    uploads: UploadPlan
    notes: tuple[str, ...] = ()
    """Sentences about stacks that are not at rest, or failed."""

    @property
    def live(self) -> Mapping[str, LiveStack]:
        """The stacks that are there, by their names."""
        return {step.stack.name: step.live for step in self.steps if step.live}

    @property
    def rows(self) -> list[Row]:
        """The lines of all stacks."""
        return [row for step in self.steps for row in step.rows]

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.rows or self.notes or not self.uploads.is_empty)

    @property
    def change_sets(self) -> list[ChangeSet]:
        """The change sets that were made for it."""
        return [step.change_set for step in self.steps if step.change_set and not step.change_set.is_empty]

    @property
    def environment(self) -> str:
        """In a sentence what happens to the environment; empty if nothing does."""
        if any(step.stack.entry.name == AIRFLOW and step.change_set is None and step.rows for step in self.steps):
            return "environment: created, usually 20 to 40 minutes"
        return "environment: updated, usually 10 to 30 minutes" if updates_environment(self.change_sets) else ""


@dataclass(frozen=True)
class Permissions:
    """What people have allowed for this deployment."""

    replacements: Collection[str] = ()
    """Logical ids of what may be replaced or removed."""
    interrupt_runs: bool = False


@dataclass(frozen=True)
class Surroundings:
    """What a deployment works with."""

    stacks: Mapping[str, Stacks]
    """CloudFormation by region."""
    buckets: Buckets
    environments: Environments
    health: Health
    screen: Screen
    clock: Clock
    holder: Holder
    is_alive: Callable[[Holder], bool] = lambda _: True
    """Whether the process of another holder of the lock may still run."""


class Deployer:
    """One deployment of one release."""

    def __init__(self, blueprint: Blueprint, release: Release, surroundings: Surroundings) -> None:
        self.blueprint = blueprint
        self._release = release
        self._stacks = surroundings.stacks
        self._buckets = surroundings.buckets
        self._environments = surroundings.environments
        self._health = surroundings.health
        self._screen = surroundings.screen
        self._clock = surroundings.clock
        self._holder = surroundings.holder
        self._is_alive = surroundings.is_alive
        self._lock: DeployLock | None = None
        self.runs = StackRuns(self._stacks, self._screen, self._clock, meanwhile=self._meanwhile)

    def existing(self) -> frozenset[str]:
        """Return the names in the list of stacks of those that exist already."""
        found = {stack.entry.name: self.runs.find(stack) for stack in self.blueprint.possible}
        return frozenset(name for name, live in found.items() if live is not None and live.rest is not Rest.ABSENT)

    def for_organization(self, organization: str) -> None:
        """Take the id of the organization, which is asked for only after the checks."""
        target = replace(self.blueprint.target, organization=organization)
        self.blueprint = replace(self.blueprint, target=target)

    def preview(self, *, waits: bool) -> Preview:
        """Return what would change; with `waits` after what CloudFormation is doing now, else it is only noted.

        Change sets stay until `discard`; nothing else is made.
        """
        live = self._live(waits=waits)
        uploads = self._plan_uploads(live)
        steps, notes = [], []
        wanted = self.blueprint.wanted(live)
        names = {stack.entry.name for stack in wanted}
        for stack in wanted:
            step, note = self._step(stack, live, uploads.values, names)
            steps.append(step)
            notes.extend([note] if note else [])
        return Preview(tuple(steps), uploads, tuple(notes))

    def discard(self, preview: Preview) -> None:
        """Remove the change sets of a preview that are still there."""
        for step in preview.steps:
            if step.change_set and not step.change_set.is_empty:
                self._stacks[step.stack.region].discard(step.change_set)

    def removal(self) -> Removal:
        """Return what says what a deletion of all stacks deletes."""
        return Removal(self.blueprint, self._stacks, self.runs)

    def delete(self) -> None:
        """Delete all stacks, the last one first.

        Raises StacksProtectedError before anything is done, StackFailedError, DeployRunningError and DeployCutOffError.
        """
        removal = self.removal()
        stacks = removal.live()
        removal.check(stacks)
        live = {one.name: one for _, one in stacks}
        with ExitStack() as held:
            if self._bucket_of(ARTIFACTS, self.blueprint.target.region, live):
                held.enter_context(self._locked(live))
            removal.carry_out(stacks)

    def carry_out(self, preview: Preview, permissions: Permissions) -> Mapping[str, LiveStack]:
        """Do what a preview shows, and return the stacks by their names.

        Raises ReplacementRefusedError before anything is done, StackFailedError, DeployRunningError,
        and DeployCutOffError when AWS cannot be asked any more.
        """
        check_replacements(preview.change_sets, permissions.replacements)
        live = self._live(waits=True)
        record: Record | None = None
        files: Mapping[str, str] = {}
        with ExitStack() as held:
            for step in preview.steps:
                if record is None and step.stack.entry.template != ARTIFACTS_TEMPLATE:
                    held.enter_context(self._locked(live))
                    files = self._upload(live)
                    record = self._record()
                    Records(self._bucket(live)).keep(record, self._release)
                self._carry_out(step, live, files, permissions)
            for step in preview.steps:
                self._carry_out_afterwards(step, live, files, permissions)
            if record:
                Records(self._bucket(live)).keep(replace(record, is_complete=True), self._release)
        return live

    def note(self, live: Mapping[str, LiveStack]) -> None:
        """Keep a record of the release where nothing had to be done, unless the newest record says the same."""
        records = Records(self._bucket(live))
        record, newest = replace(self._record(), is_complete=True), records.newest()
        if newest is None or (newest.digest, newest.given) != (record.digest, record.given):
            records.keep(record, self._release)

    @property
    def running(self) -> str:
        """What goes on at AWS without this command, in a sentence."""
        return self.runs.running

    def _live(self, *, waits: bool) -> dict[str, LiveStack]:
        look = self.runs.wait if waits else self.runs.find
        found = {stack.name: look(stack) for stack in self.blueprint.possible}
        return {name: live for name, live in found.items() if live is not None}

    def _step(
        self, stack: WantedStack, live: Mapping[str, LiveStack], files: Mapping[str, str], wanted: Collection[str]
    ) -> tuple[Step, str]:
        there = live.get(stack.name)
        values = self.blueprint.values(stack, live, files, before_others=True)
        if there is not None and there.rest is Rest.MOVING:
            return Step(stack, there, values), f"{stack.name} is {there.status}: deploy waits for that first."
        if there is not None and there.rest is Rest.STUCK:
            return Step(stack, there, values), f"{stack.name} is {there.status}: its rollback is continued first."
        if there is None or there.rest is not Rest.USABLE:
            useless = there is not None and there.rest is Rest.USELESS
            note = f"{stack.name} is {there.status}: it is deleted, and created again." if there and useless else ""
            feeds = stack.entry.parameters.items()
            later = [name for name, sources in feeds if any(source.stack in wanted for source in sources)]
            return Step(stack, None, values, rows=tuple(rows_of_new(stack, values, later))), note
        change_set = self._stacks[stack.region].plan(stack.name, stack.body, values, is_new=False)
        return Step(stack, there, values, change_set, (*rows_of(stack.name, change_set), *self._protection(there))), ""

    def _protection(self, live: LiveStack) -> list[Row]:
        wanted = self.blueprint.file.termination_protection
        if live.is_protected == wanted:
            return []
        old, new = ("on", "off") if live.is_protected else ("off", "on")
        return [Row(live.name, "change", "(the stack)", STACK_TYPE, PROTECTION, old, new)]

    def _carry_out(
        self, step: Step, live: dict[str, LiveStack], files: Mapping[str, str], permissions: Permissions
    ) -> None:
        stack = step.stack
        now = self.runs.settle(stack)
        live.pop(stack.name, None)
        if now is not None:
            live[stack.name] = now
        values = self.blueprint.values(stack, live, files)
        change_set = self._current(step, now, values)
        if not change_set.is_empty:
            self._execute(stack, change_set, live, permissions)
        if (ended := live.get(stack.name)) and self._protection(ended):
            wanted = self.blueprint.file.termination_protection
            self._stacks[stack.region].protect(stack.name, on=wanted)
            live[stack.name] = replace(ended, is_protected=wanted)

    def _carry_out_afterwards(
        self, step: Step, live: dict[str, LiveStack], files: Mapping[str, str], permissions: Permissions
    ) -> None:
        """Update a stack with the values that only later stacks could give."""
        stack, there = step.stack, live[step.stack.name]
        values = self.blueprint.values(stack, live, files)
        if all(there.parameters.get(name) == values[name] for name in stack.entry.afterwards if values.get(name)):
            return
        change_set = self._stacks[stack.region].plan(stack.name, stack.body, values, is_new=False)
        if not change_set.is_empty:
            self._execute(stack, change_set, live, permissions)

    def _execute(
        self, stack: WantedStack, change_set: ChangeSet, live: dict[str, LiveStack], permissions: Permissions
    ) -> None:
        try:
            check_replacements([change_set], permissions.replacements)
            if updates_environment([change_set]):
                self._wait_for_runs(live, permissions)
        except BaseException:
            self._stacks[stack.region].discard(change_set)
            raise
        try:
            live[stack.name] = self.runs.carry_out(stack, change_set, live.get(stack.name))
        except StackFailedError as error:
            raise self._with_environment(stack, error) from None

    def _current(self, step: Step, live: LiveStack | None, values: Values) -> ChangeSet:
        """Return the change set of the preview if it still says what is to be done, else a new one."""
        stacks = self._stacks[step.stack.region]
        if step.change_set is not None and live is not None and values == step.values:
            return step.change_set
        if step.change_set is not None and not step.change_set.is_empty:
            stacks.discard(step.change_set)
        return stacks.plan(step.stack.name, step.stack.body, values, is_new=live is None)

    def _wait_for_runs(self, live: Mapping[str, LiveStack], permissions: Permissions) -> None:
        name = self._environment_name(live)
        environment = self._environments.find(name) if name else None
        if environment is not None and environment.status == "AVAILABLE" and not permissions.interrupt_runs:
            self._health.wait_for_runs(name, self._renew)

    def _environment_name(self, live: Mapping[str, LiveStack]) -> str:
        stack = self._named(AIRFLOW, live)
        return stack.outputs.get(ENVIRONMENT_NAME, "") if stack else ""

    def _with_environment(self, stack: WantedStack, error: StackFailedError) -> StackFailedError:
        """Add what MWAA says itself: CloudFormation's event about an environment says little."""
        if stack.entry.name != AIRFLOW:
            return error
        try:
            environment = self._environments.find(stack.name)
        except ContactSyncError:
            return error
        if environment is None or not (environment.error or environment.status.endswith("_FAILED")):
            return error
        return StackFailedError(
            error.stack, error.region, error.state, (*error.causes, environment_words(environment, failed=True))
        )

    @contextmanager
    def _locked(self, live: Mapping[str, LiveStack]) -> Iterator[None]:
        self._lock = DeployLock(self._bucket(live), self._holder, self._clock, self._is_alive)
        try:
            with self._lock.held():
                yield
        finally:
            self._lock = None

    def _renew(self) -> None:
        if self._lock:
            self._lock.renew()

    def _meanwhile(self, name: str) -> str:
        self._renew()
        if not any(stack.name == name and stack.entry.name == AIRFLOW for stack in self.blueprint.possible):
            return ""
        try:
            environment = self._environments.find(name)
        except ContactSyncError:
            return ""
        return environment_words(environment) if environment else ""

    def _plan_uploads(self, live: Mapping[str, LiveStack]) -> UploadPlan:
        return plan_uploads(self._release, *self._both_buckets(live))

    def _upload(self, live: Mapping[str, LiveStack]) -> dict[str, str]:
        bucket, trigger_bucket = self._both_buckets(live)
        plan = plan_uploads(self._release, bucket, trigger_bucket)
        if bucket is None or trigger_bucket is None or plan.is_empty:
            return dict(plan.values)
        for put in plan.puts:
            self._screen.say(f"Uploading {put.name}")
        for key in plan.removed:
            self._screen.say(f"Removing {key}")
        return upload(plan, bucket, trigger_bucket)

    def _both_buckets(self, live: Mapping[str, LiveStack]) -> tuple[Bucket | None, Bucket | None]:
        target = self.blueprint.target
        main = self._bucket_of(ARTIFACTS, target.region, live)
        if target.trigger_region == target.region:
            return main, main
        return main, self._bucket_of(ARTIFACTS_TRIGGER, target.trigger_region, live)

    def _bucket(self, live: Mapping[str, LiveStack]) -> Bucket:
        bucket = self._bucket_of(ARTIFACTS, self.blueprint.target.region, live)
        if bucket is None:
            raise LookupError(ARTIFACTS)  # the list of stacks begins with it
        return bucket

    def _bucket_of(self, entry: str, region: str, live: Mapping[str, LiveStack]) -> Bucket | None:
        stack = self._named(entry, live)
        name = stack.outputs.get(BUCKET) if stack and stack.rest is Rest.USABLE else None
        return self._buckets.bucket(name, region) if name else None

    def _named(self, entry: str, live: Mapping[str, LiveStack]) -> LiveStack | None:
        names = (stack.name for stack in self.blueprint.possible if stack.entry.name == entry)
        return next((live[name] for name in names if name in live), None)

    def _record(self) -> Record:
        target, release = self.blueprint.target, self._release
        return Record(
            release_id=f"{self._clock.now():%Y%m%dT%H%M%SZ}-{release.version}-{release.commit[:8]}",
            version=release.version,
            commit=release.commit,
            digest=release.digest,
            by=self._holder.arn,
            given=dict(target.given),
            email=target.email,
            account=target.account,
            data_format=release.data_format,
            files=dict(files_of(release)),
            is_complete=False,
        )
