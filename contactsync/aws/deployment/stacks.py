"""CloudFormation in one region: stacks, change sets and events."""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import code_of, translated
from contactsync.clock import Clock
from contactsync.deployment.live import Change, ChangeSet, LiveStack, PropertyChange, StackEvent
from contactsync.deployment.ports import Values
from contactsync.errors import ChangeSetFailedError, ContactSyncError
from contactsync.plain_text import one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

POLL: Final = 2.0
REASON: Final = 600
"""Characters of CloudFormation's own words."""
NOTHING: Final = ("didn't contain changes", "No updates are to be performed")
"""What CloudFormation says of a change set that would change nothing."""
ABSENT: Final = "does not exist"
UNFINISHED: Final = frozenset({"CREATE_PENDING", "CREATE_IN_PROGRESS"})


class CloudFormationStacks:
    """The stacks of one region."""

    def __init__(self, client: "CloudFormationClient", clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def find(self, name: str) -> LiveStack | None:
        """Return a stack by its name or id; None when there is none."""
        with translated("DescribeStacks"):
            try:
                stack = self._client.describe_stacks(StackName=name)["Stacks"][0]
            except ClientError as error:
                if ABSENT in _words(error):
                    return None
                raise
        return LiveStack(
            stack["StackName"],
            stack.get("StackId", ""),
            stack["StackStatus"],
            one_line(stack.get("StackStatusReason", ""), REASON),
            {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])},
            {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])},
            stack.get("EnableTerminationProtection", False),
        )

    def plan(self, name: str, body: str, values: Values, *, is_new: bool) -> ChangeSet:
        """Make a change set and wait until it is ready; one without changes is removed, and returned as empty.

        A new stack adopts existing resources that have a name and are kept when their stack is deleted.
        Raises ChangeSetFailedError when CloudFormation refuses it.
        """
        parameters: list[Any] = [
            {"ParameterKey": key, "UsePreviousValue": True}
            if value is None
            else {"ParameterKey": key, "ParameterValue": value}
            for key, value in values.items()
        ]
        request: dict[str, Any] = {
            "StackName": name,
            "ChangeSetName": f"contactsync-{secrets.token_hex(6)}",
            "ChangeSetType": "CREATE" if is_new else "UPDATE",
            "TemplateBody": body,
            "Parameters": parameters,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        if is_new:
            request["ImportExistingResources"] = True
        with translated("CreateChangeSet"):
            try:
                set_id = self._client.create_change_set(**request)["Id"]
            except ClientError as error:
                if code_of(error) == "ValidationError":
                    if any(one in _words(error) for one in NOTHING):
                        return ChangeSet("", name, is_empty=True)
                    raise ChangeSetFailedError(name, _words(error)) from None
                raise
        return self._ready(name, set_id, is_new=is_new)

    def execute(self, change_set: ChangeSet) -> None:
        """Begin with a change set."""
        with translated("ExecuteChangeSet"):
            self._client.execute_change_set(
                ChangeSetName=change_set.set_id, ClientRequestToken=f"contactsync-{secrets.token_hex(8)}"
            )

    def discard(self, change_set: ChangeSet) -> None:
        """Remove a change set; one that is gone already is no error."""
        with translated("DeleteChangeSet"):
            try:
                self._client.delete_change_set(ChangeSetName=change_set.set_id)
            except ClientError as error:
                if code_of(error) not in {"ChangeSetNotFound", "InvalidChangeSetStatus"}:
                    raise

    def newest_event(self, stack_id: str) -> str | None:
        """Return the id of a stack's newest event; only one page is read."""
        with translated("DescribeStackEvents"):
            return next((str(event["EventId"]) for event in self._newest_first(stack_id)), None)

    def events(self, stack_id: str, after: str | None) -> list[StackEvent]:
        """Return a stack's events after the one with this id, the oldest first; all of them without an id."""
        found = []
        with translated("DescribeStackEvents"):
            for event in self._newest_first(stack_id):
                if event["EventId"] == after:
                    break
                found.append(
                    StackEvent(
                        event["EventId"],
                        event["Timestamp"],
                        event["StackName"],
                        event.get("LogicalResourceId", ""),
                        event.get("ResourceType", ""),
                        event.get("ResourceStatus", ""),
                        one_line(event.get("ResourceStatusReason", ""), REASON),
                    )
                )
        return found[::-1]

    def resources(self, stack_id: str) -> list[tuple[str, str, str]]:
        """Return the resources that a stack has: logical id, type, and what AWS identifies each by."""
        with translated("ListStackResources"):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        return [
            (one["LogicalResourceId"], one["ResourceType"], one.get("PhysicalResourceId", ""))
            for one in found
            if one["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def delete(self, name: str) -> None:
        """Begin to delete a stack."""
        with translated("DeleteStack"):
            self._client.delete_stack(StackName=name)

    def continue_rollback(self, name: str) -> None:
        """Begin again with the rollback of an update."""
        with translated("ContinueUpdateRollback"):
            self._client.continue_update_rollback(StackName=name)

    def protect(self, name: str, *, on: bool) -> None:
        """Switch the termination protection of a stack."""
        with translated("UpdateTerminationProtection"):
            self._client.update_termination_protection(StackName=name, EnableTerminationProtection=on)

    def _newest_first(self, stack_id: str) -> Iterator[Any]:
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        return (event for page in pages for event in page["StackEvents"])

    def _ready(self, name: str, set_id: str, *, is_new: bool) -> ChangeSet:
        while True:
            with translated("DescribeChangeSet"):
                pages = [self._page(set_id)]
                while token := pages[-1].get("NextToken"):
                    pages.append(self._page(set_id, NextToken=token))
            if pages[0]["Status"] not in UNFINISHED:
                break
            self._clock.sleep(POLL)
        if pages[0]["Status"] == "CREATE_COMPLETE":
            return ChangeSet(set_id, name, tuple(_change(one) for page in pages for one in page.get("Changes", [])))
        reason = one_line(pages[0].get("StatusReason", ""), REASON)
        nothing = any(one in reason for one in NOTHING)
        said = "" if nothing else self._validation(set_id)
        self.discard(ChangeSet(set_id, name))
        if is_new:
            self.delete(name)  # a stack that has nothing
        if nothing:
            return ChangeSet(set_id, name, is_empty=True)
        raise ChangeSetFailedError(name, said or reason or "without a reason")

    def _page(self, set_id: str, **more: Any) -> Any:  # noqa: ANN401 -- boto3's shape
        return self._client.describe_change_set(ChangeSetName=set_id, IncludePropertyValues=True, **more)

    def _validation(self, set_id: str) -> str:
        """Return what CloudFormation's validation found, which only DescribeEvents says."""
        found = []
        try:
            with translated("DescribeEvents"):
                pages = self._client.get_paginator("describe_events").paginate(
                    ChangeSetName=set_id, Filters={"FailedEvents": True}
                )
                for page in pages:
                    found += [_validated(event) for event in page["OperationEvents"]]
        except ContactSyncError:  # the status's own reason must do
            return ""
        return "; ".join(dict.fromkeys(filter(None, found)))


def _validated(event: Any) -> str:  # noqa: ANN401 -- boto3's shape
    reason = event.get("ValidationStatusReason") or event.get("HookStatusReason") or event.get("ResourceStatusReason")
    where = " ".join(filter(None, (event.get("LogicalResourceId"), event.get("ValidationPath"))))
    return one_line(f"{where}: {reason}" if where else reason, REASON) if reason else ""


def _words(error: ClientError) -> str:
    return one_line(str(error.response.get("Error", {}).get("Message", "")), REASON)


def _change(one: Any) -> Change:  # noqa: ANN401 -- boto3's shape
    change = one.get("ResourceChange", {})
    return Change(
        change.get("Action", ""),
        change.get("LogicalResourceId", ""),
        change.get("ResourceType", ""),
        change.get("Replacement", ""),
        tuple(dict.fromkeys(_properties(change))),
    )


def _properties(change: Mapping[str, Any]) -> Iterator[PropertyChange]:
    before, after = _context(change, "BeforeContext"), _context(change, "AfterContext")
    seen = set()
    for detail in change.get("Details", []):
        target = detail.get("Target", {})
        name = str(target.get("Path") or target.get("Name") or target.get("Attribute") or "").removeprefix(
            "/Properties/"
        )
        if name in seen:
            continue
        seen.add(name)
        top = str(target.get("Name") or name)
        yield PropertyChange(
            name,
            str(target.get("BeforeValue", _text(before.get(top)))),
            str(target.get("AfterValue", _text(after.get(top)))),
        )


def _context(change: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    try:
        content = json.loads(change.get(key) or "{}")
    except ValueError:
        return {}
    properties = content.get("Properties") if isinstance(content, dict) else None
    return properties if isinstance(properties, dict) else {}


def _text(value: Any) -> str:  # noqa: ANN401 -- a property of any form
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
