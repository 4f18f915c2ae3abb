"""The workers' permissions where contactsync is not in the management account."""

from contactsync.sandbox.access.role_policies import Role, statements_of_role
from tests.support.permissions.system import system


def test_role_in_the_management_account() -> None:
    """Where contactsync is in another account, the workers may assume that role, and have no contact themselves."""
    role_arn = "arn:aws:iam::111122223333:role/contactsync-contacts"
    with system(ManagementRoleArn=role_arn) as other:
        execution_role = other.sandbox.outputs["ExecutionRoleArn"]
        with other.as_role(execution_role, CONTACTSYNC_MANAGEMENT_ROLE_ARN=role_arn) as services:
            assert len(list(services.organization.accounts())) == 4
        statements = statements_of_role(Role("aws", other.sandbox.management_account, execution_role.split("/")[-1]))
        (contacts,) = [one for one in statements or () if one.policy == "contacts"]
        assert (contacts.actions, contacts.resources) == (("sts:AssumeRole",), (role_arn,))
        (assumed,) = other.sandbox.call_log.query(service="sts", operation="AssumeRole")
        assert assumed.error_code is None
