"""The operations on change sets."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from contactsync.sandbox.stacks import stack_answers
from contactsync.sandbox.stacks.change_sets import build
from contactsync.sandbox.stacks.stack_answers import Answer, page
from contactsync.sandbox.stacks.stack_operations import Operation
from contactsync.sandbox.stacks.stack_records import ChangeSet, Place, Stack, StackError
from contactsync.sandbox.stacks.stack_requests import check_stack_name, design_of
from contactsync.sandbox.stacks.stack_service import StackService

Params = Mapping[str, Any]
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", re.ASCII)
_SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_KINDS = ("CREATE", "UPDATE", "IMPORT")


class ChangeSetsApi:
    """Creates, shows, executes and deletes change sets."""

    def __init__(self, service: StackService) -> None:
        """Answer for these stacks."""
        self._service = service
        self.actions: dict[str, Callable[[Params, Place], Answer]] = {
            "CreateChangeSet": self._create,
            "DescribeChangeSet": self._describe,
            "ExecuteChangeSet": self._execute,
            "DeleteChangeSet": self._delete,
            "ListChangeSets": self._list,
        }

    def find(self, params: Params, place: Place) -> tuple[Stack, ChangeSet]:
        """Return the change set that a request names, by its ARN or with the stack's name."""
        name = str(params["ChangeSetName"])
        stacks = self._service.all(place)
        if params.get("StackName"):
            wanted = self._service.find(str(params["StackName"]), place)
            if wanted is None:
                raise StackError(f"Stack [{params['StackName']}] does not exist")
            stacks = [wanted]
        elif not name.startswith("arn:"):
            raise StackError("StackName must be specified if ChangeSetName is not specified as an ARN.")
        for stack in stacks:
            for change_set in list(stack.change_sets.values()):
                if name in (change_set.id, change_set.name):
                    return stack, change_set
        raise StackError(f"ChangeSet [{name}] does not exist", "ChangeSetNotFoundException")

    def _create(self, params: Params, place: Place) -> Answer:
        name, kind = str(params["StackName"]), str(params.get("ChangeSetType") or "UPDATE")
        _check(params, kind)
        with self._service.lock:
            stack = self._service.find(name, place)
            is_new = stack is None
            if stack is None:
                stack = self._added(name, kind, place)
            try:
                self._check_stack(stack, params, kind, is_new=is_new)
                previous = None if stack.status == "REVIEW_IN_PROGRESS" else stack.design
                design = design_of(params, place, previous)
                change_set = build(stack, design, params, self._service.exports(place))
            except StackError:
                if is_new:
                    self._service.forget(stack)
                raise
            if is_new:
                stack.begin("CREATE_CHANGESET", str(params.get("ClientToken") or ""))
                stack.enter("REVIEW_IN_PROGRESS", "User Initiated")
            stack.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _added(self, name: str, kind: str, place: Place) -> Stack:
        if kind == "UPDATE":
            raise StackError(f"Stack [{name}] does not exist")
        check_stack_name(name)
        return self._service.add(name, place)

    def _check_stack(self, stack: Stack, params: Params, kind: str, *, is_new: bool) -> None:
        name = str(params["ChangeSetName"])
        if any(name == change_set.name for change_set in stack.change_sets.values()):
            raise StackError(f"ChangeSet [{name}] already exists", "AlreadyExistsException")
        in_review = is_new or stack.status == "REVIEW_IN_PROGRESS"
        if kind == "CREATE" and not in_review:
            raise StackError(
                f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [{name}]."
            )
        if not in_review:
            self._service.check_updatable(stack)
        elif kind == "UPDATE":
            raise StackError(f"Stack [{stack.name}] does not exist")

    def _describe(self, params: Params, place: Place) -> Answer:
        stack, change_set = self.find(params, place)
        size = self._service.scripts.settings.page_size
        changes, token = page(change_set.changes, params.get("NextToken"), size)
        with_values = bool(params.get("IncludePropertyValues"))
        answer = stack_answers.change_set_answer(stack, change_set, changes, with_values=with_values)
        return answer | ({"NextToken": token} if token else {})

    def _execute(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            stack, change_set = self.find(params, place)
            if change_set.execution != "AVAILABLE":
                raise StackError(
                    f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
                    if change_set.status != "CREATE_COMPLETE"
                    else f"ChangeSet [{change_set.id}] cannot be executed in its current execution status of "
                    f"[{change_set.execution}]",
                    "InvalidChangeSetStatusException",
                )
            operation = self._begin(stack, change_set, params)
            change_set.execution = "EXECUTE_IN_PROGRESS"
            operation.ended = lambda: _end(stack, change_set)
            stack.executed = change_set.id
            stack.change_sets = {change_set.id: change_set}
        operation.start()
        return {}

    def _begin(self, stack: Stack, change_set: ChangeSet, params: Params) -> Operation:
        on_failure = change_set.on_failure or "ROLLBACK"
        if params.get("DisableRollback"):
            on_failure = "DO_NOTHING"
        token = str(params.get("ClientRequestToken") or "")
        retained = bool(params.get("RetainExceptOnCreate"))
        stack.notification_arns = change_set.notification_arns or stack.notification_arns
        if stack.status == "REVIEW_IN_PROGRESS" and change_set.kind != "IMPORT":
            return self._service.create(
                stack,
                change_set.design,
                on_failure=on_failure,
                imports=change_set.imports,
                token=token,
                deletes_retained=retained,
            )
        if stack.status != "REVIEW_IN_PROGRESS":
            self._service.check_updatable(stack)
        return self._service.update(
            stack,
            change_set.design,
            rolls_back=on_failure != "DO_NOTHING",
            imports=change_set.imports,
            token=token,
            kind="IMPORT" if change_set.kind == "IMPORT" else "UPDATE",
            deletes_retained=retained,
        )

    def _delete(self, params: Params, place: Place) -> Answer:
        with self._service.lock:
            try:
                stack, change_set = self.find(params, place)
            except StackError as error:
                if error.code == "ChangeSetNotFoundException":
                    return {}
                raise
            if change_set.execution == "EXECUTE_IN_PROGRESS":
                raise StackError(
                    f"ChangeSet [{change_set.id}] cannot be deleted in its current status of [{change_set.status}]",
                    "InvalidChangeSetStatusException",
                )
            del stack.change_sets[change_set.id]
        return {}

    def _list(self, params: Params, place: Place) -> Answer:
        name = str(params["StackName"])
        stack = self._service.find(name, place)
        if stack is None:
            raise StackError(f"Stack [{name}] does not exist")
        summaries = [stack_answers.change_set_summary(stack, item) for item in list(stack.change_sets.values())]
        shown, token = page(summaries, params.get("NextToken"), self._service.scripts.settings.page_size)
        return {"Summaries": shown} | ({"NextToken": token} if token else {})


def _end(stack: Stack, change_set: ChangeSet) -> None:
    change_set.execution = "EXECUTE_COMPLETE" if stack.status in _SUCCEEDED else "EXECUTE_FAILED"


def _check(params: Params, kind: str) -> None:
    if not _NAME.fullmatch(str(params["ChangeSetName"])):
        raise StackError(
            f"1 validation error detected: Value '{params['ChangeSetName']}' at 'changeSetName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if kind not in _KINDS:
        raise StackError(f"ChangeSetType must be one of {', '.join(_KINDS)}")
    if params.get("IncludeNestedStacks"):
        raise StackError("The sandbox has no nested stacks: leave IncludeNestedStacks out.")
    if params.get("DeploymentMode"):
        raise StackError("The sandbox does not know DeploymentMode.")
