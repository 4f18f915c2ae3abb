"""Fakes of the ports that `contactsync validate` uses: a deployment in which everything is as it should be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from contactsync.checks.health_ports import (
    AirflowState,
    AlarmState,
    Drift,
    DriftStatus,
    FunctionState,
    LiveStack,
    Released,
    StackResource,
    Subscription,
    TableState,
)
from contactsync.checks.target import Found, Target
from contactsync.checks.validation import HealthPorts, Validation
from contactsync.configuration.schema import Configuration, StoredConfiguration
from tests.support.fakes.deployment_ports import ACCOUNT, REGION, TRIGGER_REGION, FakeAccount
from tests.support.fakes.healthy_airflow import HealthyAirflow
from tests.support.fakes.surroundings import FakeClock

TARGET = Target("prod", REGION, TRIGGER_REGION)
ENVIRONMENT = "contactsync-prod-airflow"
BUCKET = "contactsync-prod-code"
DIGESTS = {"plugins.zip": "a" * 64, "requirements.txt": "b" * 64}

MADE = {
    "state": [("StateTable", "AWS::DynamoDB::Table", "contactsync-prod-state")],
    "bus": [
        ("EventsTopic", "AWS::SNS::Topic", f"arn:aws:sns:{REGION}:{ACCOUNT}:contactsync-prod-events"),
        ("AuditQueue", "AWS::SQS::Queue", "https://sqs/contactsync-prod-audit"),
        ("AuditDeadLetters", "AWS::SQS::Queue", "https://sqs/contactsync-prod-audit-dead-letters"),
        ("AuditFunction", "AWS::Lambda::Function", "contactsync-prod-audit"),
        ("AuditMapping", "AWS::Lambda::EventSourceMapping", "11111111-aaaa"),
        ("IdempotencyTable", "AWS::DynamoDB::Table", "contactsync-prod-idempotency"),
        ("Silent", "AWS::CloudWatch::Alarm", "contactsync-prod-silent"),
    ],
    "trigger": [
        ("Rule", "AWS::Events::Rule", "contactsync-prod-contact-change"),
        ("TriggerFunction", "AWS::Lambda::Function", "contactsync-prod-trigger"),
    ],
}
"""What the stacks have made: logical ids, types and names."""


def stack(name: str, **changes: object) -> LiveStack:
    """Return a stack that is complete."""
    region = TRIGGER_REGION if name == "trigger" else REGION
    parameters = {
        "state": {"PointInTimeRecovery": "true"},
        "bus": {"PointInTimeRecovery": "true"},
        "trigger": {"MwaaEnvironmentName": ENVIRONMENT, "MwaaRegion": REGION},
    }
    usual = LiveStack(name, f"contactsync-prod-{name}", region, "UPDATE_COMPLETE", "", parameters.get(name, {}))
    return replace(usual, **changes)  # type: ignore[arg-type] # the test's own values


@dataclass
class FakeDeployment:
    """A deployment; a test changes what it is about, or scripts an error for a method."""

    account: FakeAccount = field(default_factory=FakeAccount)
    clock: FakeClock = field(default_factory=FakeClock)
    airflow: HealthyAirflow = field(init=False)
    all_stacks: list[LiveStack] = field(default_factory=lambda: [stack(name) for name in MADE])
    drifts: dict[str, list[Drift]] = field(default_factory=dict)
    """What CloudFormation says about a stack's drift, one look after the other; the last one stays."""
    state: AirflowState | None = field(
        default_factory=lambda: AirflowState(
            "AVAILABLE", "SUCCESS", bucket=BUCKET, objects={"plugins.zip": "v1", "requirements.txt": "v2"}
        )
    )
    logs: dict[str, list[str]] = field(default_factory=dict)
    functions: dict[str, FunctionState] = field(default_factory=dict)
    mappings: dict[str, str] = field(default_factory=dict)
    tables: dict[str, TableState] = field(default_factory=dict)
    disabled_rules: set[str] = field(default_factory=set)
    rule_targets: int = 1
    topics: dict[str, list[Subscription]] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)
    alarm_states: dict[str, str] = field(default_factory=dict)
    released: Released | None = field(default_factory=lambda: Released("0.1.0", DIGESTS))
    digests: dict[str, str] = field(default_factory=lambda: dict(DIGESTS))
    configuration_error: Exception | None = None
    errors: dict[str, Exception] = field(default_factory=dict)
    """What the methods raise, by their names."""

    def __post_init__(self) -> None:
        """Give it an Airflow of the clock's time."""
        self.airflow = HealthyAirflow(self.clock.now())

    @property
    def validation(self) -> Validation:
        """The checks of this deployment."""
        ports = HealthPorts(
            identity=self.account,
            organizations=self.account,
            trails=self.account,
            stacks=self,
            environments=self,
            resources=self,
            releases=self,
            airflow=lambda *_: self.airflow,
            configurations=self.configurations,
            clock=self.clock,
        )
        return Validation(TARGET, ports)

    def configurations(self, found: Found) -> "FakeDeployment":
        """Return itself as the stored configuration."""
        assert found.stacks
        return self

    def latest(self) -> StoredConfiguration:
        """Return a valid configuration, or what the test scripts."""
        if self.configuration_error:
            raise self.configuration_error
        return StoredConfiguration(version=3, configuration=Configuration())

    def version(self, number: int) -> StoredConfiguration:
        """Return the same for every version."""
        assert number
        return self.latest()

    def stacks(self, environment: str, region: str) -> Iterable[LiveStack]:
        """Return the stacks of a region."""
        self._ask("stacks")
        assert environment == TARGET.environment
        return [one for one in self.all_stacks if one.region == region]

    def resources(self, stack: LiveStack) -> Iterator[StackResource]:
        """Return what the stack has made."""
        self._ask("resources")
        return (StackResource(stack, *made) for made in MADE.get(stack.name, []))

    def look_for_drift(self, stack: LiveStack) -> str:
        """Return the stack's name as the id."""
        self._ask("look_for_drift")
        return stack.name

    def drift(self, stack: LiveStack, look: str) -> Drift:
        """Return what the test says next."""
        self._ask("drift")
        assert look == stack.name
        left = self.drifts.get(stack.name, [Drift(DriftStatus.COMPLETE)])
        return left.pop(0) if len(left) > 1 else left[0]

    def environment(self, region: str, name: str) -> AirflowState | None:
        """Return the environment."""
        self._ask("environment")
        assert (region, name) == (REGION, ENVIRONMENT)
        return self.state

    def installation_log(self, region: str, name: str, part: str) -> Sequence[str] | None:
        """Return the log of a part."""
        self._ask("installation_log")
        assert (region, name) == (REGION, ENVIRONMENT)
        return self.logs.get(part)

    def function(self, region: str, name: str) -> FunctionState:
        """Return a function's state."""
        self._ask("function")
        assert region == (TRIGGER_REGION if name.endswith("-trigger") else REGION)
        return self.functions.get(name, FunctionState("Active"))

    def mapping_state(self, region: str, mapping_id: str) -> str:
        """Return a mapping's state."""
        self._ask("mapping_state")
        assert region == REGION
        return self.mappings.get(mapping_id, "Enabled")

    def table(self, region: str, name: str) -> TableState:
        """Return a table's settings."""
        self._ask("table")
        assert region == REGION
        expires_by = "expiration" if name.endswith("-idempotency") else "expires_at"
        usual = TableState("ACTIVE", True, not name.endswith("-idempotency"), expires_by)  # noqa: FBT003 -- fields
        return self.tables.get(name, usual)

    def is_rule_enabled(self, region: str, name: str) -> bool:
        """Return whether the test left it enabled."""
        self._ask("is_rule_enabled")
        assert region == TRIGGER_REGION
        return name not in self.disabled_rules

    def targets(self, region: str, rule: str) -> int:
        """Return the number of targets."""
        self._ask("targets")
        assert (region, rule) == (TRIGGER_REGION, "contactsync-prod-contact-change")
        return self.rule_targets

    def subscriptions(self, region: str, topic: str) -> Sequence[Subscription]:
        """Return a topic's subscriptions."""
        self._ask("subscriptions")
        assert region == REGION
        usual = [Subscription("sqs", f"arn:aws:sqs:{REGION}:{ACCOUNT}:contactsync-prod-audit", is_confirmed=True)]
        return self.topics.get(topic.rpartition(":")[2], usual)

    def messages(self, region: str, queue: str) -> int:
        """Return how many letters a queue has."""
        self._ask("messages")
        assert region == REGION
        assert queue.endswith("-dead-letters")
        return self.letters.get(queue, 0)

    def alarms(self, region: str, names: Sequence[str]) -> Sequence[AlarmState]:
        """Return the alarms' states."""
        self._ask("alarms")
        assert region == REGION
        return [AlarmState(name, self.alarm_states.get(name, "OK"), "a reason.") for name in names]

    def newest(self, region: str, bucket: str) -> Released | None:
        """Return the newest release."""
        self._ask("newest")
        assert (region, bucket) == (REGION, BUCKET)
        return self.released

    def digest(self, region: str, bucket: str, key: str, version: str) -> str:
        """Return an object's digest."""
        self._ask("digest")
        assert (region, bucket) == (REGION, BUCKET)
        assert version
        return self.digests.get(key, "")

    def _ask(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]
