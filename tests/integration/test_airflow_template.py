"""infra/airflow.yaml: an environment with the product's settings, its log groups, and a role for what is done."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from contactsync.account_management.api_operations import ApiOperation
from contactsync.aws.organization_calls import RATES
from contactsync.settings.groups import RUN
from contactsync.settings.settings import Settings, read_settings, variables_of
from contactsync.stacks.stack_file import read_stacks
from contactsync.stacks.templates import TemplateError, check_value
from tests.integration.test_permissions import OF_STATE, needed, stated
from tests.support.mwaa.options import option_values, variables

ROOT = Path(__file__).parents[2]
LISTED = read_stacks(ROOT / "infra")
TEMPLATE: Any = LISTED.templates["airflow.yaml"]
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
ENVIRONMENT: dict[str, Any] = RESOURCES["Airflow"]["Properties"]
OPTIONS: dict[str, Any] = ENVIRONMENT["AirflowConfigurationOptions"]
ROLE: dict[str, Any] = RESOURCES["ExecutionRole"]["Properties"]
SECRETS = {"contactsync.fingerprint_key", "contactsync.former_fingerprint_key"}
SAMPLES = {
    "Environment": "prod",
    "ManagementAccountId": "111122223333",
    "ConfigTableName": "contactsync-prod-config",
    "StateTableName": "contactsync-prod-state",
    "DesiredContactsTableName": "contactsync-prod-desired-contacts",
    "FingerprintSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:contactsync-prod-fingerprint-key-AbC",
    "EventsTopicArn": "arn:aws:sns:eu-west-1:111122223333:contactsync-prod-events",
    "ClaimBucketName": "contactsync-prod-claims-111122223333-eu-west-1",
    "DocsUrl": "https://git.example/contactsync/docs",
    "ManagementRoleArn": "arn:aws:iam::111122223333:role/contactsync",
}
"""Values as other stacks and people give them."""


def statements(*policies: str) -> dict[str, dict[str, Any]]:
    """Return the statements of the role's policies by their ids; `contacts` are those without another role."""
    found = {}
    for policy in ROLE["Policies"]:
        own = policy["Fn::If"][2] if "Fn::If" in policy else policy
        if own["PolicyName"] in policies:
            found.update({one["Sid"]: one for one in own["PolicyDocument"]["Statement"]})
    return found


def actions(sid: str, *policies: str) -> set[str]:
    """Return the actions of a statement, without the service."""
    given = statements(*(policies or ("product",)))[sid]["Action"]
    return {action.partition(":")[2] for action in ([given] if isinstance(given, str) else given)}


def settings() -> Settings:
    """Read the product's settings from the options, as a task does."""
    values = option_values(LISTED, SAMPLES)
    ours = {name: value for name, value in values.items() if name.startswith("contactsync.")}
    return read_settings(variables(ours), RUN)


def test_samples() -> None:
    """The samples are values that the parameters allow."""
    for name, value in SAMPLES.items():
        check_value("airflow.yaml", name, value, TEMPLATE["Parameters"][name])


def test_settings() -> None:
    """With these options alone a run has all settings that it needs, each in its place."""
    found = settings()
    assert found.management.account == SAMPLES["ManagementAccountId"]
    assert found.configuration.table == SAMPLES["ConfigTableName"]
    assert found.state.table == SAMPLES["StateTableName"]
    assert found.desired.table == SAMPLES["DesiredContactsTableName"]
    assert found.deployment.environment == "prod"
    assert found.deployment.trigger_user == "assumed-role/contactsync-prod-trigger"
    assert found.bus.topic == SAMPLES["EventsTopicArn"]
    assert found.claims.bucket == SAMPLES["ClaimBucketName"]
    assert (found.fingerprints.key, found.fingerprints.secret) == (None, SAMPLES["FingerprintSecretArn"])
    assert found.calls.management_role == SAMPLES["ManagementRoleArn"]


def test_options() -> None:
    """Every option of ours is a setting, none is a secret, and MWAA accepts all keys and values."""
    known = {name.removeprefix("CONTACTSYNC_").lower() for name in variables_of()} | {"account_tasks", "docs_url"}
    ours = {name.partition(".")[2] for name in OPTIONS if name.startswith("contactsync.")}
    assert ours <= known
    assert not SECRETS & set(OPTIONS)
    for name, value in option_values(LISTED, SAMPLES).items():
        assert re.fullmatch(r"[a-z]+([a-z0-9._]*[a-z0-9_]+)?", name)
        assert len(name) <= 64
        assert 0 < len(value) <= 65_536
        assert value.isascii()
        assert value.isprintable()


def test_airflow_options() -> None:
    """Plugins are loaded at the start, one run may map enough tasks, and nothing without effect is set."""
    values = option_values(LISTED, SAMPLES)
    assert values["core.lazy_load_plugins"] == "False"
    assert int(values["core.max_map_length"]) >= 1024
    assert not any("new_python_interpreter" in name for name in OPTIONS)


@pytest.mark.parametrize("name", TEMPLATE["Parameters"]["EnvironmentClass"]["AllowedValues"])
def test_classes(name: str) -> None:
    """Each class has its workers' number of tasks, and more room than contactsync takes for itself."""
    of_a_worker = {"micro": 3, "small": 5, "medium": 10, "large": 20, "xlarge": 40, "2xlarge": 80}
    numbers = TEMPLATE["Mappings"]["ByClass"][name]
    assert numbers["Autoscale"] == ",".join(2 * [str(of_a_worker[name.removeprefix("mw1.")])])
    assert TEMPLATE["Parameters"]["AccountTasks"]["Default"] < int(numbers["RunTasks"]) < int(numbers["Parallelism"])
    assert set(TEMPLATE["Mappings"]["ByClass"]) == {f"mw1.{one}" for one in of_a_worker}


def test_log_groups() -> None:
    """The five groups have MWAA's names, keep logs as long as the parameter says, and are there first."""
    groups = {name: one for name, one in RESOURCES.items() if one["Type"] == "AWS::Logs::LogGroup"}
    prefix = f"airflow-{ENVIRONMENT['Name']['Fn::Sub']}-"
    assert {one["Properties"]["LogGroupName"]["Fn::Sub"].removeprefix(prefix) for one in groups.values()} == {
        "DAGProcessing",
        "Scheduler",
        "Task",
        "WebServer",
        "Worker",
    }
    assert all(one["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"} for one in groups.values())
    assert all(one["DeletionPolicy"] == "RetainExceptOnCreate" for one in groups.values())
    assert set(RESOURCES["Airflow"]["DependsOn"]) == set(groups)
    assert all(one["Enabled"] is True for one in ENVIRONMENT["LoggingConfiguration"].values())


def test_release() -> None:
    """The environment names the versions of both files, and lets running tasks end when they change."""
    assert ENVIRONMENT["PluginsS3ObjectVersion"] == {"Ref": "PluginsVersion"}
    assert ENVIRONMENT["RequirementsS3ObjectVersion"] == {"Ref": "RequirementsVersion"}
    assert ENVIRONMENT["WorkerReplacementStrategy"] == "GRACEFUL"
    assert ENVIRONMENT["AirflowVersion"] == {"Ref": "AirflowVersion"}
    assert TEMPLATE["Parameters"]["AirflowVersion"]["AllowedValues"] == ["3.3.1"]


def test_trust() -> None:
    """MWAA may use the role for this environment, and for none of another account."""
    (statement,) = ROLE["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": ["airflow.amazonaws.com", "airflow-env.amazonaws.com"]}
    assert set(statement["Condition"]) == {"StringEquals", "ArnLike"}


def test_tables() -> None:
    """The role may do with each table what the code does with it."""
    assert actions("State") == stated("the state table and its indexes") >= needed(*OF_STATE)
    assert actions("Configuration") == {"GetItem", "Query"}
    assert actions("Configuration") <= stated("the configuration table")
    assert actions("DesiredContacts") == {"GetItem", "PutItem"} >= needed("desired_contacts_table.py")


def test_account_management() -> None:
    """The role may make the calls that are made, and write to members of the organization only."""
    sids = ("ReadContacts", "WritePrimaryContactsOfMembers", "WriteAlternateContactsOfMembers")
    given = {sid: actions(sid, "contacts") for sid in sids}
    assert set().union(*given.values()) == {str(one) for one in ApiOperation}
    members = {"Fn::Sub": "arn:${AWS::Partition}:account::${ManagementAccountId}:account/${OrganizationId}/*"}
    for sid in sids[1:]:
        assert statements("contacts")[sid]["Resource"] == members
    assert statements("contacts")[sids[2]]["Condition"] == {
        "ForAnyValue:StringEquals": {"account:AlternateContactTypes": {"Ref": "AlternateContactTypes"}}
    }


def test_organizations() -> None:
    """The role may ask of the organization what the code asks, and what docs/scope.md says."""
    given = actions("ListOrganization", "contacts") | actions("ReadOrganization", "contacts")
    page = (ROOT / "docs" / "scope.md").read_text(encoding="utf-8")
    assert given == set(RATES) == set(re.findall(r"`organizations:(\w+)`", page))


def test_size() -> None:
    """The role's policies fit into IAM's 10,240 characters for inline policies, with long names."""

    def filled(given: Any) -> Any:
        match given:
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{[^}]*\}", "x" * 32, text)
            case {"Ref": _}:
                return "x" * 128
            case dict():
                return {key: filled(one) for key, one in given.items()}
            case list():
                return [filled(one) for one in given]
        return given

    texts = (json.dumps(filled(one["Fn::If"][2] if "Fn::If" in one else one)) for one in ROLE["Policies"])
    assert sum(map(len, texts)) < 10_240


def test_another_account() -> None:
    """With a role in the management account, the tasks may assume it, and nothing there by themselves."""
    (policy,) = [one["Fn::If"] for one in ROLE["Policies"] if "Fn::If" in one]
    assert policy[0] == "HasManagementRole"
    (statement,) = policy[1]["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("sts:AssumeRole", {"Ref": "ManagementRoleArn"})


def test_security_group() -> None:
    """The group that is made when none is given lets in its own members only."""
    own = RESOURCES["SecurityGroupOwn"]["Properties"]
    assert own["GroupId"] == own["SourceSecurityGroupId"] == {"Fn::GetAtt": ["SecurityGroup", "GroupId"]}
    condition, given, (made,) = ENVIRONMENT["NetworkConfiguration"]["SecurityGroupIds"]["Fn::If"]
    assert (condition, given) == ("HasSecurityGroup", {"Ref": "SecurityGroupIds"})
    named = {"Fn::Sub": "${SecurityGroup.GroupId},${SecurityGroupOwn}"}  # so that the rule is there first
    assert made == {"Fn::Select": [0, {"Fn::Split": [",", named]}]}
    assert "SecurityGroupIngress" not in RESOURCES["SecurityGroup"]["Properties"]
    assert {RESOURCES[name]["Condition"] for name in ("SecurityGroup", "SecurityGroupOwn")} == {"NeedsSecurityGroup"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SubnetIds", "subnet-1,subnet-2"),
        ("SubnetIds", ""),
        ("SecurityGroupIds", "default"),
        ("OrganizationId", "r-abcd"),
        ("AlternateContactTypes", "BILLING,PRIMARY"),
        ("FingerprintSecretArn", "contactsync-prod-fingerprint-key"),
        ("MaintenanceStart", "SUN:24:00"),
        ("PluginsKey", "plugins.tar"),
        ("EnvironmentClass", "small"),
        ("MaxWorkers", "0"),
        ("MaxWorkers", "three"),
        ("MaxMapLength", "100"),
        ("LogRetentionDays", "31"),
    ],
)
def test_wrong_values(name: str, value: str) -> None:
    """A value that cannot work is refused before anything is deployed."""
    with pytest.raises(TemplateError, match=f"parameter {name}: "):
        check_value("airflow.yaml", name, value, TEMPLATE["Parameters"][name])
