"""The roles of stacks that the sandbox leaves out, and the processes that have sessions of roles."""

import json
from pathlib import Path

from moto.iam.models import iam_backends

from contactsync.cli.local.local_system import product_environment, worker_environment
from contactsync.sandbox.access.left_out_roles import roles_only
from contactsync.sandbox.access.role_policies import Role, statements_of_role
from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox
from contactsync.stacks.templates import load
from tests.sandbox.sandbox_clients import UNLIMITED, client

ROOT = Path(__file__).parents[2]
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "RoleName": {"Fn::Sub": "${Environment}-role"},
        "Policies": [{"Fn::If": ["Wanted", {"PolicyName": {"Ref": "Name"}}, {"Ref": "AWS::NoValue"}]}],
    },
}


def test_roles_only() -> None:
    """A template is left with its roles, and with the parameters, conditions and outputs that they need."""
    part = roles_only(
        {
            "Parameters": {name: {"Type": "String"} for name in ("Environment", "Name", "Switch", "Size")},
            "Conditions": {
                "Wanted": {"Fn::And": [{"Condition": "On"}, {"Condition": "On"}]},
                "On": {"Fn::Equals": [{"Ref": "Switch"}, "on"]},
                "Large": {"Fn::Equals": [{"Ref": "Size"}, "l"]},
            },
            "Mappings": {"BySize": {"l": {"Workers": "2"}}},
            "Resources": {"Role": ROLE, "Machine": {"Type": "AWS::EC2::Instance"}},
            "Outputs": {
                "RoleArn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}},
                "Both": {"Value": {"Fn::Sub": "${Role.Arn} ${Machine.PublicIp}"}},
            },
        }
    )
    assert part is not None
    assert set(part["Parameters"]) == {"Environment", "Name", "Switch"}
    assert set(part["Conditions"]) == {"Wanted", "On"}
    assert "Mappings" not in part
    assert (set(part["Resources"]), set(part["Outputs"])) == ({"Role"}, {"RoleArn"})
    assert json.dumps(part)


def test_no_role() -> None:
    """A template without a role leaves nothing."""
    assert roles_only(load(ROOT / "infra" / "network.yaml")) is None


def test_execution_role() -> None:
    """Airflow's processes have a session of the execution role of infra/airflow.yaml, and people have everything."""
    with Sandbox(Scenario.model_validate(UNLIMITED), templates=ROOT / "infra") as sandbox:
        environment = product_environment(sandbox)
        workers = worker_environment(sandbox, environment)
        changed = {name for name in workers if workers[name] != environment.get(name)}
        assert changed == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
        caller = sandbox.session().client(
            "sts",
            endpoint_url=sandbox.endpoint_url,
            aws_access_key_id=workers["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=workers["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=workers["AWS_SESSION_TOKEN"],
        )
        account = sandbox.management_account
        assert (
            caller.get_caller_identity()["Arn"]
            == f"arn:aws:sts::{account}:assumed-role/contactsync-local-airflow/airflow"
        )
        statements = statements_of_role(Role("aws", account, "contactsync-local-airflow")) or ()
        template = load(ROOT / "infra" / "airflow.yaml")["Resources"]["ExecutionRole"]["Properties"]["Policies"]
        assert {one.policy for one in statements} == {"environment", "product", "contacts"}
        assert len(statements) > sum(len(one.get("PolicyDocument", {}).get("Statement", [])) for one in template) > 0
        assert "contactsync-local-airflow-role" in {stack.name for stack in sandbox.stacks}
        assert client(sandbox, "iam").get_role(RoleName="contactsync-local-airflow")


def test_without_a_list(tmp_path: Path) -> None:
    """In a folder of templates without a list nothing is left out, so no role is added."""
    document = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "own", "AssumeRolePolicyDocument": document}}
    (tmp_path / "own.yaml").write_text(json.dumps({"Resources": {"Role": role}}))
    with Sandbox(Scenario.model_validate(UNLIMITED), templates=tmp_path) as sandbox:
        assert [stack.name for stack in sandbox.stacks] == ["contactsync-own"]
        assert [one.name for one in iam_backends[sandbox.management_account]["aws"].roles.values()] == ["own"]
