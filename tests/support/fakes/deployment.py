"""CloudFormation, buckets, MWAA and Airflow in memory, as far as a deployment sees them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import yaml

from contactsync.deployment.live import AirflowEnvironment, Change, ChangeSet, LiveStack, PropertyChange, StackEvent
from contactsync.deployment.ports import StoredObject, Values
from contactsync.errors import ChangeSetFailedError, ContactSyncError
from contactsync.stacks import templates
from tests.support.fakes.surroundings import FakeClock

STACK = "AWS::CloudFormation::Stack"
ACCOUNT = "111122223333"


def output_of(stack: str, name: str, region: str) -> str:
    """Return a value that fits the parameters which other templates have for it."""
    arn = f"arn:aws:{{}}:{region}:{ACCOUNT}:{stack}"
    known = {
        "CodeBucketName": f"code-{stack.rpartition('-')[2]}-{region}",
        "DesiredContactsKeyArn": f"arn:aws:kms:{region}:{ACCOUNT}:key/1234",
        "FingerprintSecretArn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:fingerprints-abc",
        "SubnetIds": "subnet-11111111,subnet-22222222",
        "SecurityGroupId": "sg-11111111",
        "VpcId": "vpc-11111111",
        "AirflowUrl": "https://airflow.example.com",
        "EnvironmentName": stack,
        "ClaimBucketName": "claims-of-bus",
    }
    return known.get(name) or (arn.format("sns") if name.endswith("TopicArn") else f"{stack}-{name}")


@cache
def _parsed(body: str) -> Any:
    return yaml.load(body, Loader=templates._TemplateLoader)  # noqa: S506 -- a SafeLoader


@dataclass
class _Stack:
    live: LiveStack
    body: str = ""
    events: list[StackEvent] = field(default_factory=list)
    looks: int = 0
    """Looks until it is at rest."""
    then: str = ""
    """Its status at rest."""
    causes: tuple[tuple[str, str], ...] = ()


class FakeStacks:
    """The stacks of one region; each change takes two looks."""

    def __init__(self, region: str, clock: FakeClock) -> None:
        """Begin without a stack."""
        self.region = region
        self._clock = clock
        self._stacks: dict[str, _Stack] = {}
        self._sets: dict[str, tuple[str, str, dict[str, str], bool]] = {}
        self.failures: dict[str, list[tuple[str, str]]] = {}
        """The resources that fail in the next change of a stack, with reasons."""
        self.refused: dict[str, str] = {}
        """Why change sets of a stack fail."""
        self.errors: list[ContactSyncError] = []
        """What the next looks raise."""
        self.done: list[tuple[str, str]] = []
        """What was done with which stack, without looks and change sets."""

    def find(self, name: str) -> LiveStack | None:
        """Return a stack, which comes closer to its rest with each look."""
        if self.errors:
            raise self.errors.pop(0)
        stack = self._stacks.get(name) or next((s for s in self._stacks.values() if s.live.stack_id == name), None)
        if stack is None or (stack.live.status == "DELETE_COMPLETE" and name != stack.live.stack_id):
            return None
        if stack.then:
            stack.looks -= 1
            if stack.looks <= 0:
                self._end(stack)
        return stack.live

    def plan(self, name: str, body: str, values: Values, *, is_new: bool) -> ChangeSet:
        """Compare a template and values with what a stack has."""
        if name in self.refused:
            raise ChangeSetFailedError(name, self.refused[name])
        template = _parsed(body)
        declared = template["Parameters"]
        before = {} if is_new else self._stacks[name].live.parameters
        after = {one: str(declared[one].get("Default", "")) for one in declared}
        after |= {one: before[one] if value is None else value for one, value in values.items()}
        assert is_new != (name in self._stacks and self._stacks[name].live.status != "DELETE_COMPLETE")
        set_id = f"arn:set/{name}/{len(self._sets)}"
        if not is_new and before == after and self._stacks[name].body == body:
            return ChangeSet(set_id, name, is_empty=True)
        self._sets[set_id] = (name, body, after, is_new)
        return ChangeSet(set_id, name, tuple(_changes(template, before, after, is_new=is_new)))

    def execute(self, change_set: ChangeSet) -> None:
        """Begin with a change."""
        name, body, values, is_new = self._sets.pop(change_set.set_id)
        verb = "CREATE" if is_new else "UPDATE"
        self.done.append((verb.lower(), name))
        number = len(self.done)
        outputs = _parsed(body).get("Outputs") or {}
        live = LiveStack(
            name,
            f"arn:stack/{name}/{number}" if is_new else self._stacks[name].live.stack_id,
            f"{verb}_IN_PROGRESS",
            outputs={one: output_of(name, one, self.region) for one in outputs},
            parameters=values,
            is_protected=False if is_new else self._stacks[name].live.is_protected,
        )
        failures = self.failures.pop(name, [])
        ends = {"CREATE": "ROLLBACK_COMPLETE", "UPDATE": "UPDATE_ROLLBACK_COMPLETE"}
        events = [] if is_new else self._stacks[name].events
        then = ends[verb] if failures else f"{verb}_COMPLETE"
        kept = body if not failures or is_new else self._stacks[name].body
        before = live if is_new or not failures else replace(live, parameters=self._stacks[name].live.parameters)
        stack = _Stack(before, kept, events, 2, then, tuple(failures))
        self._stacks[name] = stack
        self._event(stack, name, STACK, live.status)

    def put(self, live: LiveStack, *, then: str = "", looks: int = 2, body: str = "") -> None:
        """Put a stack into a state; with `then` it ends so after some looks."""
        self._stacks[live.name] = _Stack(live, body, looks=looks, then=then)

    def discard(self, change_set: ChangeSet) -> None:
        """Forget a change set."""
        self._sets.pop(change_set.set_id, None)

    @property
    def change_sets(self) -> list[str]:
        """The stacks of the change sets that are left."""
        return [name for name, *_ in self._sets.values()]

    def newest_event(self, stack_id: str) -> str | None:
        """Return the id of the newest event."""
        events = self.events(stack_id, None)
        return events[-1].event_id if events else None

    def events(self, stack_id: str, after: str | None) -> list[StackEvent]:
        """Return the events after one of them."""
        stack = next(one for one in self._stacks.values() if stack_id in {one.live.stack_id, one.live.name})
        ids = [event.event_id for event in stack.events]
        return stack.events[ids.index(after) + 1 :] if after else list(stack.events)

    def resources(self, stack_id: str) -> list[tuple[str, str, str]]:
        """Return the resources of a stack's template, each with a name of its own."""
        stack = next(one for one in self._stacks.values() if one.live.stack_id == stack_id)
        found = _parsed(stack.body)["Resources"]
        return [(name, resource["Type"], f"{stack.live.name}-{name}") for name, resource in found.items()]

    def delete(self, name: str) -> None:
        """Begin to delete a stack."""
        stack = next(one for one in self._stacks.values() if name in {one.live.name, one.live.stack_id})
        assert not stack.live.is_protected
        self.done.append(("delete", stack.live.name))
        stack.live = replace(stack.live, status="DELETE_IN_PROGRESS")
        stack.looks, stack.then = 2, "DELETE_COMPLETE"
        self._event(stack, stack.live.name, STACK, stack.live.status)

    def continue_rollback(self, name: str) -> None:
        """Begin again with a rollback."""
        stack = self._stacks[name]
        self.done.append(("continue", name))
        failures = self.failures.pop(name, [])
        stack.live = replace(stack.live, status="UPDATE_ROLLBACK_IN_PROGRESS")
        stack.looks, stack.causes = 2, tuple(failures)
        stack.then = "UPDATE_ROLLBACK_FAILED" if failures else "UPDATE_ROLLBACK_COMPLETE"
        self._event(stack, name, STACK, stack.live.status)

    def protect(self, name: str, *, on: bool) -> None:
        """Switch the termination protection of a stack."""
        self.done.append(("protect" if on else "unprotect", name))
        self._stacks[name].live = replace(self._stacks[name].live, is_protected=on)

    def _end(self, stack: _Stack) -> None:
        for resource, reason in stack.causes:
            self._event(stack, resource, "AWS::Any::Thing", "UPDATE_FAILED", reason)
        stack.live = replace(stack.live, status=stack.then)
        stack.then, stack.causes = "", ()
        self._event(stack, stack.live.name, STACK, stack.live.status)

    def _event(self, stack: _Stack, logical_id: str, kind: str, status: str, reason: str = "") -> None:
        number = f"{stack.live.stack_id}-{len(stack.events)}"
        stack.events.append(StackEvent(number, self._clock.now(), stack.live.name, logical_id, kind, status, reason))


def _changes(
    template: Mapping[str, Any], before: Mapping[str, str], after: Mapping[str, str], *, is_new: bool
) -> Iterator[Change]:
    changed = {name for name in after if after[name] != before.get(name)}
    for name, resource in template["Resources"].items():
        if is_new:
            yield Change("Add", name, resource["Type"])
            continue
        for key, value in (resource.get("Properties") or {}).items():
            if used := [
                one for one in sorted(changed) if f'"{one}"' in json.dumps(value) or f"${{{one}}}" in str(value)
            ]:
                replaced = key in {"TableName", "BucketName", "NetworkConfiguration"}
                detail = PropertyChange(key, before.get(used[0], ""), after[used[0]])
                yield Change("Modify", name, resource["Type"], str(replaced), (detail,))


class FakeBucket:
    """A bucket with versions."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        """Begin without an object."""
        self.name = name
        self._clock = clock
        self.objects: dict[str, tuple[bytes, StoredObject]] = {}
        self.puts: list[str] = []

    def listed(self, prefix: str) -> Iterator[StoredObject]:
        """Yield objects by their keys."""
        found = [one for key, (_, one) in sorted(self.objects.items()) if key.startswith(prefix)]
        return (replace(one, version="", sha256="") for one in found)

    def look(self, key: str) -> StoredObject | None:
        """Return an object without its content."""
        return self.objects[key][1] if key in self.objects else None

    def read(self, key: str) -> bytes | None:
        """Return an object's content."""
        return self.objects[key][0] if key in self.objects else None

    def put(self, key: str, content: bytes, *, sha256: str = "") -> StoredObject:
        """Store an object."""
        self.puts.append(key)
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        stored = StoredObject(key, etag, f"version-{len(self.puts)}", sha256, self._clock.now())
        self.objects[key] = (content, stored)
        return stored

    def put_if(self, key: str, content: bytes, *, etag: str | None) -> StoredObject | None:
        """Store an object if its condition holds."""
        present = self.look(key)
        if (present.etag if present else None) != etag:
            return None
        return self.put(key, content)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        for key in keys:
            self.objects.pop(key, None)


class FakeBuckets:
    """Buckets by their names; each is there when it is asked for."""

    def __init__(self, clock: FakeClock) -> None:
        """Begin without a bucket."""
        self._clock = clock
        self.buckets: dict[str, FakeBucket] = {}

    def bucket(self, name: str, region: str) -> FakeBucket:
        """Return a bucket, whose name has its region."""
        assert name.endswith(region)
        return self.buckets.setdefault(name, FakeBucket(name, self._clock))


@dataclass
class FakeEnvironments:
    """The status of every environment."""

    environment: AirflowEnvironment | None = None

    def find(self, name: str) -> AirflowEnvironment | None:
        """Return the status."""
        assert name
        return self.environment


@dataclass
class FakeDeployedAirflow:
    """An Airflow with both DAGs, in which some runs are active for some looks."""

    runs: list[list[str]] = field(default_factory=list)
    """The active runs at each look; none after the last one."""
    import_errors: list[dict[str, str]] = field(default_factory=list)

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Answer the requests of a deployment."""
        assert parameters is None
        if path == "/importErrors":
            return {"import_errors": self.import_errors}
        if path == "/dags/~/dagRuns/list":
            assert body is not None
            assert method == "POST"
            return {"dag_runs": [{"dag_run_id": run} for run in (self.runs.pop(0) if self.runs else [])]}
        return {"dag_id": path.rpartition("/")[2]}


@dataclass
class FakeScreen:
    """A screen that remembers everything."""

    lines: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        """Remember a sentence."""
        self.lines.append(sentence)

    def begin(self, stack: str, doing: str) -> None:
        """Remember the begin."""
        self.lines.append(f"{stack} {doing}")

    def event(self, event: StackEvent) -> None:
        """Remember an event."""
        self.lines.append(f"{event.logical_id} {event.status} {event.reason}".strip())

    def tick(self, stack: str, state: str) -> None:
        """Remember a state."""
        self.lines.append(f"{stack}: {state}")

    def end(self, stack: str, state: str) -> None:
        """Remember the end."""
        self.lines.append(f"{stack} ended: {state}")
