"""Least privilege, shown both ways: no call without a statement that allows it, and no statement that nobody needs.

Every component does all that it does in AWS under its own role, in a sandbox that enforces the roles' policies. What
AWS itself calls for a component is in one table, tests/support/permissions/aws_calls.py.
"""

from collections.abc import Iterator

import pytest
from moto.iam.models import iam_backends

from contactsync.sandbox.access.policies import Need, decide
from contactsync.sandbox.access.role_policies import Role, statements_of_role
from tests.support.permissions.aws_calls import AWS_CALLS
from tests.support.permissions.comparison import OWN_CALLS, Component, table
from tests.support.permissions.document import components_of, written
from tests.support.permissions.system import System, system

# It carries out everything that every component does, and waits for many of AWS's delays.
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def running() -> Iterator[System]:
    """Run the sandbox."""
    with system() as made:
        yield made


@pytest.fixture(scope="module")
def components(running: System, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Component]:
    """Let every component do all that it does."""
    return {one.name: one for one in components_of(running, tmp_path_factory.mktemp("files"))}


def test_no_call_without_a_statement(components: dict[str, Component]) -> None:
    """Whatever a component called, its policies allow; and each has called something."""
    assert {name: one.missing for name, one in components.items() if one.missing} == {}
    used = {name for name, one in components.items() if any(OWN_CALLS in reasons for reasons in one.used.values())}
    assert used == set(components)


def test_no_statement_without_a_call(components: dict[str, Component]) -> None:
    """Each action and resource of each statement is needed: by the component's own calls, or by AWS for it."""
    assert [line for one in components.values() for line in one.unused()] == []


def test_calls_of_aws(running: System, components: dict[str, Component]) -> None:
    """What AWS calls for a component is allowed, or denied on purpose; none is what the component calls itself."""
    for call in AWS_CALLS:
        decision = components[call.component].add_aws_call(call, running.sandbox.outputs)
        assert (decision.allowed, decision.denied_explicitly) == (not call.denied, call.denied), call
        name = {f"{grant.policy}/{grant.statement}" for grant in decision.grants}
        assert not any(
            OWN_CALLS in reasons
            for one, (key, reasons) in ((call, item) for item in components[call.component].used.items())
            if key[0] in name and key[1] == one.action
        ), call


def test_table(components: dict[str, Component]) -> None:
    """docs/permissions.md has what the policies say; `python -m tests.support.permissions.document` writes it."""
    assert table(components.values()) == written()


def test_every_role_is_a_component(running: System, components: dict[str, Component]) -> None:
    """A role of the templates that is none of the components may do nothing."""
    account = running.sandbox.management_account
    compared = {one.statements for one in components.values()}
    for role in iam_backends[account]["aws"].roles.values():
        statements = statements_of_role(Role("aws", account, role.name))
        assert statements == () or statements in compared, role.name


def test_nothing_else(components: dict[str, Component]) -> None:
    """No component may do what is for others to do, or for nobody."""
    table_arn = "arn:aws:dynamodb:us-east-1:111122223333:table/contactsync-local-"
    member = "arn:aws:account::111122223333:account/o-aaaaaaaaaa/444455556666"
    everybody = set(components)
    allowed = {
        "write an outcome": (Need("dynamodb:PutItem", (f"{table_arn}state",), _leading("OUTCOMES#1#2")), {"workers"}),
        "write an event": (
            Need("dynamodb:PutItem", (f"{table_arn}state",), _leading("outbox#1")),
            {"workers", "notices", "operator", "configuration"},
        ),
        "delete from the trail": (Need("dynamodb:DeleteItem", (f"{table_arn}audit",)), set()),
        "change the trail": (Need("dynamodb:UpdateItem", (f"{table_arn}audit",)), set()),
        "scan": (Need("dynamodb:Scan", (f"{table_arn}state",)), set()),
        "store a configuration": (
            Need("dynamodb:PutItem", (f"{table_arn}config",), _leading("default")),
            {"configuration"},
        ),
        "store another configuration": (Need("dynamodb:PutItem", (f"{table_arn}config",), _leading("other")), set()),
        "read a contact": (
            Need("dynamodb:GetItem", (f"{table_arn}desired-contacts",), _leading("security")),
            {"workers"},
        ),
        "write a contact of another organization": (Need("account:PutContactInformation", (member,)), set()),
        "pass as somebody else": (Need("sts:AssumeRole", ("arn:aws:iam::111122223333:role/admin",)), set()),
    }
    for what, (need, who) in allowed.items():
        found = {name for name in everybody if decide(components[name].statements, need).allowed}
        assert found == who, what


def _leading(key: str) -> dict[str, tuple[str, ...]]:
    return {"dynamodb:leadingkeys": (key,)}
