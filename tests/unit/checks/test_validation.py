"""The checks of a deployment that is there: each ✗ is a sentence with its remedy, and keeps no other check from it."""

from datetime import timedelta
from typing import Any

import pytest

from contactsync.checks.findings import Finding, State
from contactsync.checks.health_ports import (
    AirflowState,
    Drift,
    DriftStatus,
    FunctionState,
    Subscription,
    TableState,
)
from contactsync.errors import (
    AccessDeniedError,
    AirflowRefusedError,
    ConfigurationInvalidError,
    CredentialsExpiredError,
    ServiceUnavailableError,
    ServiceUnreachableError,
)
from tests.support.fakes.health_ports import DIGESTS, ENVIRONMENT, FakeDeployment, stack

NAMES = (
    *("credentials", "stacks", "environment", "requirements", "imports", "dags", "housekeeping", "version"),
    *("functions", "tables", "rule", "topics", "dead-letters", "alarms", "configuration", "trusted-access"),
    *("trail", "drift"),
)


def wrong(deployment: FakeDeployment) -> list[Finding]:
    """Return the findings that are not ok."""
    return [one for one in deployment.validation.findings() if not one.is_ok]


def only(deployment: FakeDeployment) -> Finding:
    """Return the only finding that is not ok; the other checks were all made."""
    findings = list(deployment.validation.findings())
    assert {one.name for one in findings} == set(NAMES)
    (finding,) = [one for one in findings if not one.is_ok]
    assert finding.remedy
    return finding


def test_healthy() -> None:
    """A deployment in which everything works has one finding for each check, and all are ok."""
    findings = list(FakeDeployment().validation.findings())
    assert tuple(one.name for one in findings) == NAMES
    assert {one.state for one in findings} == {State.OK}
    assert not any(one.remedy for one in findings)


@pytest.mark.parametrize("method", ["stacks", "look_for_drift", "drift", "table", "alarms", "digest"])
def test_credentials_expire(method: str) -> None:
    """Credentials that expire end the validation with one finding, wherever it is."""
    deployment = FakeDeployment(errors={method: CredentialsExpiredError("AnyCall", "ExpiredToken")})
    (finding,) = wrong(deployment)
    assert (finding.name, finding.state) == ("credentials", State.FAILED)


def test_nobody_answers() -> None:
    """Without an answer about the caller nothing is known, and nothing else is asked."""
    deployment = FakeDeployment()
    deployment.account.errors["caller"] = ServiceUnreachableError("GetCallerIdentity", "EndpointConnectionError")
    (finding,) = deployment.validation.findings()
    assert (finding.name, finding.state) == ("credentials", State.UNKNOWN)


def test_stacks_unread() -> None:
    """Stacks that may not be listed leave nothing to look at."""
    denied = AccessDeniedError("DescribeStacks", "AccessDenied", service="cloudformation")
    _, finding = FakeDeployment(errors={"stacks": denied}).validation.findings()
    assert (finding.name, finding.state) == ("stacks", State.UNKNOWN)
    assert "cloudformation:DescribeStacks" in finding.remedy


def test_no_stacks() -> None:
    """An environment without any stack is one finding: it may be the wrong name, account or region."""
    _, finding = FakeDeployment(all_stacks=[]).validation.findings()
    assert finding.sentence == "There is no stack of environment prod in eu-west-1 and us-east-1."
    assert "--profile" in finding.remedy


def test_missing_stack() -> None:
    """A stack that every deployment has is missing."""
    deployment = FakeDeployment(all_stacks=[stack("state"), stack("trigger")])
    missing = [one for one in wrong(deployment) if one.name == "stacks"]
    assert [one.sentence for one in missing] == ["There is no stack contactsync-prod-bus."]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [("UPDATE_IN_PROGRESS", "wait"), ("UPDATE_ROLLBACK_COMPLETE", "deploy"), ("ROLLBACK_FAILED", "deploy")],
)
def test_unhealthy_stack(status: str, remedy: str) -> None:
    """A stack that is not complete says its status and CloudFormation's reason."""
    stacks = [stack("state"), stack("bus", status=status, reason="Resource limit"), stack("trigger")]
    finding = only(FakeDeployment(all_stacks=stacks))
    assert (finding.name, finding.state) == ("stacks", State.FAILED)
    assert f"is {status}: Resource limit." in finding.sentence
    assert remedy in finding.remedy.lower()


def test_drift() -> None:
    """Drift names the stack and the first resources; CloudFormation's look is waited for."""
    changed = [f"Table{number}" for number in range(7)]
    looks = [Drift(DriftStatus.IN_PROGRESS), Drift(DriftStatus.COMPLETE, resources=changed)]
    deployment = FakeDeployment(drifts={"bus": looks})
    finding = only(deployment)
    assert "contactsync-prod-bus has drifted: Table0, Table1, Table2, Table3, Table4 and 2 more" in finding.sentence
    assert deployment.clock.slept == [3.0]


def test_endless_drift() -> None:
    """A look for drift that does not end is given up after its limit, for all stacks together."""
    endless = {name: [Drift(DriftStatus.IN_PROGRESS)] for name in ("state", "bus", "trigger")}
    deployment = FakeDeployment(drifts=endless)
    findings = wrong(deployment)
    assert [(one.name, one.state) for one in findings] == [("drift", State.UNKNOWN)] * 3
    assert sum(deployment.clock.slept) == 300


def test_failed_drift() -> None:
    """A look that failed is unknown, with CloudFormation's reason; what it found all the same is drift."""
    reason = "Access denied for KMS"
    finding = only(FakeDeployment(drifts={"bus": [Drift(DriftStatus.FAILED, reason)]}))
    assert finding.state is State.UNKNOWN
    assert reason in finding.sentence
    assert only(FakeDeployment(drifts={"bus": [Drift(DriftStatus.FAILED, reason, ("Key",))]})).state is State.FAILED


def test_denied_drift() -> None:
    """A permission that is missing for every stack is said once."""
    denied = AccessDeniedError("DetectStackDrift", "AccessDenied", service="cloudformation")
    assert only(FakeDeployment(errors={"look_for_drift": denied})).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (AirflowState("AVAILABLE", "FAILED", "INCORRECT_CONFIGURATION: the role"), "failed (INCORRECT_CONFIGURATION"),
        (AirflowState("AVAILABLE", "FAILED"), "failed; it runs as before"),
    ],
)
def test_failed_update(state: AirflowState, said: str) -> None:
    """An environment whose last update failed is available, and still a ✗."""
    finding = only(FakeDeployment(state=state, released=None))
    assert finding.name == "environment"
    assert said in finding.sentence


@pytest.mark.parametrize("status", ["UPDATING", "CREATE_FAILED", "UNAVAILABLE"])
def test_environment_unavailable(status: str) -> None:
    """An environment that is not available is asked nothing, and everything else is checked."""
    deployment = FakeDeployment(state=AirflowState(status))
    (finding,) = wrong(deployment)
    assert finding.name == "environment"
    assert status in finding.sentence
    assert deployment.airflow.calls == []


def test_no_environment() -> None:
    """An environment that is not there is a ✗, and its Airflow is asked nothing."""
    deployment = FakeDeployment(state=None)
    (finding,) = wrong(deployment)
    assert finding.sentence == f"There is no MWAA environment {ENVIRONMENT}."
    assert deployment.airflow.calls == []


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: Could not find a version that satisfies the requirement contactsync==0.1.0",
        "[2026-11-29 10:00:00] ERROR - Installation of requirements timed out",
    ],
)
def test_failed_installation(line: str) -> None:
    """A line of pip that says an error is a ✗; where nothing was logged, the imports decide."""
    deployment = FakeDeployment(logs={"Worker": ["Collecting", line], "Scheduler": ["Successfully installed"]})
    finding = only(deployment)
    assert finding.name == "requirements"
    assert finding.sentence.startswith("Worker could not install requirements.txt:")
    assert f"airflow-{ENVIRONMENT}-Worker" in finding.remedy


def test_installation() -> None:
    """Logs without an error are named; conflicts of the image's own packages do not make an installation fail."""
    conflict = "ERROR: pip's dependency resolver does not currently take into account all the packages"
    found = {one.name: one for one in FakeDeployment(logs={"Worker": [conflict, "ok"]}).validation.findings()}
    assert found["requirements"].sentence == "requirements.txt was installed (Worker)."


def test_import_errors() -> None:
    """Each file and plugin that cannot be imported is a ✗ of its own."""
    deployment = FakeDeployment()
    deployment.airflow.import_errors = [{"filename": "a.py", "stack_trace": "Traceback\nImportError: b\n"}]
    deployment.airflow.plugin_errors = [{"source": "plugin.py", "error": ""}]
    first, second = wrong(deployment)
    assert first.sentence == "Airflow cannot import a.py: ImportError: b."
    assert second.sentence == "Airflow cannot import plugin plugin.py: no reason."


def test_paused() -> None:
    """A paused DAG is a ✗."""
    deployment = FakeDeployment()
    deployment.airflow.housekeeping_paused = True
    assert only(deployment).sentence == "The DAG contact_housekeeping is paused."


def test_missing_dag() -> None:
    """A DAG that Airflow does not have is a ✗."""
    deployment = FakeDeployment()
    deployment.airflow.has_dag = False
    assert only(deployment).sentence == "Airflow has no DAG contact_sync."


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (None, "has not run yet"),
        ({"state": "success", "minutes": 16}, "began 16 minutes ago"),
        ({"state": "running", "minutes": 60}, "began 60 minutes ago"),
        ({"state": "failed", "minutes": 3}, "failed (scheduled__1)"),
    ],
)
def test_housekeeping(run: dict[str, Any] | None, said: str) -> None:
    """Housekeeping ran lately, and did not fail."""
    deployment = FakeDeployment()
    deployment.airflow.housekept = run and {
        "dag_run_id": "scheduled__1",
        "run_after": (deployment.clock.now() - timedelta(minutes=run["minutes"])).isoformat(),
        "state": run["state"],
    }
    finding = only(deployment)
    assert finding.name == "housekeeping"
    assert said in finding.sentence


@pytest.mark.parametrize("running", ["0.0.9", None])
def test_another_version(running: str | None) -> None:
    """Another version than the released one is a ✗, and so is one that the DAGs do not say."""
    deployment = FakeDeployment()
    deployment.airflow.version = running
    finding = only(deployment)
    assert finding.name == "version"
    assert "Version 0.1.0 was released" in finding.sentence


def test_another_file() -> None:
    """A file of the environment with other bytes than the release's is a ✗; one without a digest is not compared."""
    finding = only(FakeDeployment(digests={**DIGESTS, "plugins.zip": "c" * 64}))
    assert "another plugins.zip than release 0.1.0" in finding.sentence
    assert not wrong(FakeDeployment(digests={}))


def test_no_release() -> None:
    """Without a release there is nothing to compare with."""
    assert not wrong(FakeDeployment(released=None))


def test_airflow_fails() -> None:
    """An Airflow that answers with errors leaves its checks unknown, and keeps no other from being made."""
    deployment = FakeDeployment()
    deployment.airflow.errors = [AirflowRefusedError("GET /importErrors", 403, "Forbidden")]
    finding = only(deployment)
    assert (finding.name, finding.state) == ("imports", State.UNKNOWN)
    assert "status 403" in finding.remedy


@pytest.mark.parametrize("spoiled", [None, 3, "x", [1], [None]])
def test_foreign_answers(spoiled: Any) -> None:
    """Answers that are not Airflow's are findings, not tracebacks."""
    deployment = FakeDeployment()
    deployment.airflow.import_errors = deployment.airflow.plugin_errors = spoiled
    finding = only(deployment)
    assert (finding.name, finding.state) == ("imports", State.UNKNOWN)


@pytest.mark.parametrize("run_after", [None, "yesterday", "2026-01-14T09:00:00", 3])
def test_foreign_time(run_after: Any) -> None:
    """A time of a run that is none is a finding, too."""
    deployment = FakeDeployment()
    deployment.airflow.housekept = {"run_after": run_after}
    finding = only(deployment)
    assert (finding.name, finding.state) == ("housekeeping", State.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"functions": {"contactsync-prod-audit": FunctionState("Pending")}}, "functions", "is Pending"),
        (
            {"functions": {"contactsync-prod-trigger": FunctionState("Active", "no zip", "Failed")}},
            "functions",
            "its last update Failed (no zip)",
        ),
        ({"mappings": {"11111111-aaaa": "Disabled"}}, "functions", "AuditMapping of contactsync-prod-bus is Disabled"),
        ({"disabled_rules": {"contactsync-prod-contact-change"}}, "rule", "is disabled"),
        ({"rule_targets": 0}, "rule", "has no target"),
        ({"topics": {"contactsync-prod-events": []}}, "topics", "Nobody is subscribed"),
        (
            {"topics": {"contactsync-prod-events": [Subscription("email", "pat@example.com", is_confirmed=False)]}},
            "topics",
            "somebody at example.com to topic contactsync-prod-events is not confirmed",
        ),
        (
            {"topics": {"contactsync-prod-events": [Subscription("sms", "+12065550100", is_confirmed=False)]}},
            "topics",
            "a sms number",
        ),
        ({"letters": {"https://sqs/contactsync-prod-audit-dead-letters": 3}}, "dead-letters", "has 3 dead letters"),
        ({"alarm_states": {"contactsync-prod-silent": "ALARM"}}, "alarms", "is raised: a reason."),
        ({"alarm_states": {"contactsync-prod-silent": "INSUFFICIENT_DATA"}}, "alarms", "has no data"),
    ],
)
def test_resources(changes: dict[str, Any], name: str, said: str) -> None:
    """What does not work is named, and no address of a person is shown."""
    finding = only(FakeDeployment(**changes))
    assert (finding.name, finding.state) == (name, State.FAILED)
    assert said in finding.sentence
    assert "pat@" not in finding.sentence
    assert "+1206" not in finding.sentence


@pytest.mark.parametrize(
    ("table", "state", "said"),
    [
        ("state", TableState("ARCHIVED", is_encrypted=True, has_backups=True, expires_by="expires_at"), "is ARCHIVED"),
        ("state", TableState("ACTIVE", is_encrypted=False, has_backups=True, expires_by="expires_at"), "not encrypted"),
        (
            "state",
            TableState("ACTIVE", is_encrypted=True, has_backups=False, expires_by="expires_at"),
            "point-in-time recovery",
        ),
        ("state", TableState("ACTIVE", is_encrypted=True, has_backups=True), "no time to live on expires_at"),
        ("idempotency", TableState("ACTIVE", is_encrypted=True, has_backups=False), "no time to live on expiration"),
    ],
)
def test_tables(table: str, state: TableState, said: str) -> None:
    """Tables are active and encrypted, have backups where the environment wants them, and forget what expires."""
    finding = only(FakeDeployment(tables={f"contactsync-prod-{table}": state}))
    assert finding.name == "tables"
    assert said in finding.sentence


def test_no_backups_wanted() -> None:
    """An environment without backups needs none."""
    state = TableState("ACTIVE", True, False, "expires_at")  # noqa: FBT003 -- fields
    stacks = [stack("state", parameters={"PointInTimeRecovery": "false"}), stack("bus"), stack("trigger")]
    assert not wrong(FakeDeployment(all_stacks=stacks, tables={"contactsync-prod-state": state}))


def test_no_rule() -> None:
    """A deployment without the trigger's stack has no rule, which is said too."""
    deployment = FakeDeployment(all_stacks=[stack("state"), stack("bus")])
    deployment.state = None
    assert "There is no rule for changes of contacts." in [one.sentence for one in wrong(deployment)]


def test_one_thing_unread() -> None:
    """What cannot be read of one thing keeps no other thing from being looked at."""
    deployment = FakeDeployment(
        errors={"mapping_state": ServiceUnavailableError("GetEventSourceMapping", "ServiceException")},
        functions={"contactsync-prod-audit": FunctionState("Inactive")},
    )
    first, second = wrong(deployment)
    assert (first.state, second.state) == (State.FAILED, State.UNKNOWN)
    assert {first.name, second.name} == {"functions"}


def test_configuration() -> None:
    """A configuration that is not valid is a ✗ with every problem."""
    error = ConfigurationInvalidError(problems=["scope: unknown key"], version=3)
    finding = only(FakeDeployment(configuration_error=error))
    assert finding.name == "configuration"
    assert "scope: unknown key" in finding.sentence


def test_organization() -> None:
    """Trusted access and the trail are checked as before a deployment."""
    deployment = FakeDeployment()
    deployment.account.trusted = False
    deployment.account.all_trails = []
    assert [one.name for one in wrong(deployment)] == ["trusted-access", "trail"]
