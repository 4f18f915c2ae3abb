"""The stacks of all accounts and regions, and the operations that change them."""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from moto.utilities.utils import get_partition

from contactsync.sandbox.stacks.deployments import Deployment, StepFailedError, failed_to
from contactsync.sandbox.stacks.stack_operations import Operation, Scripts
from contactsync.sandbox.stacks.stack_records import Design, Place, Stack, StackError, now
from contactsync.sandbox.stacks.template_values import Exports

_INITIATED = "User Initiated"
_UPDATABLE = (
    "CREATE_COMPLETE",
    "CREATE_FAILED",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
_PAUSED = ("CREATE_FAILED", "UPDATE_FAILED")
ON_FAILURE = ("ROLLBACK", "DELETE", "DO_NOTHING")


class StackService:
    """Keeps the stacks; a change of a stack is an operation that goes on in a thread when it takes time."""

    def __init__(self, scripts: Scripts) -> None:
        """Start without stacks."""
        self.scripts = scripts
        self.lock = threading.RLock()
        self._stacks: dict[str, Stack] = {}
        self._operations: dict[str, Operation] = {}
        self._interrupted: dict[str, Deployment] = {}

    def stop(self) -> None:
        """End all operations, and forget the stacks."""
        for operation in list(self._operations.values()):
            operation.stop()
        self._stacks, self._operations, self._interrupted = {}, {}, {}

    def all(self, place: Place) -> list[Stack]:
        """Return the stacks of an account in a region, newest first, with those that are deleted."""
        here = [stack for stack in list(self._stacks.values()) if stack.place == place]
        return sorted(here, key=lambda stack: stack.created, reverse=True)

    def find(self, name: str, place: Place) -> Stack | None:
        """Return a stack by its name, or by its id, which also finds one that is deleted."""
        if name.startswith("arn:"):
            stack = self._stacks.get(name)
            return stack if stack is not None and stack.place == place else None
        live = (stack for stack in self.all(place) if stack.name == name and stack.deleted is None)
        return next(live, None)

    def exports(self, place: Place) -> Exports:
        """Return the values that outputs of stacks of this account and region export."""
        outputs = [output for stack in self.all(place) if stack.deleted is None for output in stack.outputs]
        return {output["ExportName"]: output["OutputValue"] for output in outputs if "ExportName" in output}

    def add(self, name: str, place: Place) -> Stack:
        """Add a stack without resources."""
        prefix = f"arn:{get_partition(place.region)}:cloudformation:{place.region}:{place.account}"
        stack = Stack(f"{prefix}:stack/{name}/{uuid.uuid4()}", name, place)
        self._stacks[stack.id] = stack
        return stack

    def forget(self, stack: Stack) -> None:
        """Forget a stack that has never had resources."""
        self._stacks.pop(stack.id, None)

    def check_updatable(self, stack: Stack) -> None:
        """Raise StackError when the stack's status allows no update."""
        if stack.status not in _UPDATABLE:
            raise StackError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def create(
        self,
        stack: Stack,
        design: Design,
        *,
        on_failure: str = "ROLLBACK",
        imports: Mapping[str, str] | None = None,
        token: str = "",
        deletes_retained: bool = False,
    ) -> Operation:
        """Begin to create a stack's resources; the operation is still to be started."""
        stack.begin("CREATE_STACK", token)
        stack.design, stack.description = design, str(design.template.get("Description") or "")
        stack.enter("CREATE_IN_PROGRESS", _INITIATED)
        stack.disables_rollback = on_failure == "DO_NOTHING"

        def work(operation: Operation) -> None:
            deployment = self._deployment(stack, operation, imports, deletes_retained=deletes_retained)
            try:
                deployment.apply(design)
                stack.outputs = deployment.values(design).outputs()
            except StepFailedError as failure:
                self._undo_creation(deployment, failure.verb, failure.logical_id, on_failure)
            except StackError as error:
                self._end_creation(deployment, error.message, on_failure)
            else:
                if not _is_taken_over(stack):
                    stack.enter("CREATE_COMPLETE")

        return self._operation(stack, work)

    def update(
        self,
        stack: Stack,
        design: Design,
        *,
        rolls_back: bool = True,
        imports: Mapping[str, str] | None = None,
        token: str = "",
        kind: str = "UPDATE",
        deletes_retained: bool = False,
    ) -> Operation:
        """Begin to update a stack; the operation is still to be started. `kind` is UPDATE or IMPORT."""
        interrupted = self._interrupted.pop(stack.id, None)
        unfinished = interrupted.journal if interrupted and stack.status == "UPDATE_FAILED" else []
        stack.begin("UPDATE_STACK", token)
        stack.updated = now()
        stack.enter(f"{kind}_IN_PROGRESS", _INITIATED)
        stack.disables_rollback = not rolls_back

        def work(operation: Operation) -> None:
            deployment = self._deployment(stack, operation, imports, deletes_retained=deletes_retained)
            deployment.journal = unfinished
            try:
                deployment.apply(design)
                outputs = deployment.values(design).outputs()
            except StepFailedError as failure:
                self._undo_update(deployment, failed_to(failure.verb, [failure.logical_id]), kind)
                return
            except StackError as error:
                self._undo_update(deployment, error.message, kind)
                return
            if kind == "UPDATE":
                stack.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
                deployment.clean_up(design)
            stack.design, stack.outputs = design, outputs
            stack.description = str(design.template.get("Description") or "")
            stack.enter(f"{kind}_COMPLETE")

        return self._operation(stack, work)

    def delete(self, stack: Stack, retained: AbstractSet[str] = frozenset(), token: str = "") -> Operation:
        """Begin to delete a stack, after the end of an operation that is in progress; it is still to be started."""
        before = self._operations.get(stack.id) if stack.is_busy else None
        if before is not None:
            before.cancel()
        stack.begin("DELETE_STACK", token)
        stack.enter("DELETE_IN_PROGRESS", _INITIATED)

        def work(operation: Operation) -> None:
            self._delete(self._deployment(stack, operation), retained)

        return self._operation(stack, work, before)

    def continue_rollback(self, stack: Stack, skipped: Sequence[str], token: str = "") -> Operation:
        """Go on with a rollback that failed."""
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise StackError(f"Stack:{stack.id} is in {stack.status} state and can not continue rollback.")
        deployment = self._interrupted[stack.id]
        stack.begin("CONTINUE_ROLLBACK", token)
        stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", _INITIATED)

        def work(operation: Operation) -> None:
            deployment.operation = operation
            self._roll_back(deployment, set(skipped), "UPDATE")

        return self._operation(stack, work)

    def roll_back(self, stack: Stack, token: str = "") -> Operation:
        """Roll back a stack that failed without a rollback."""
        if stack.status not in _PAUSED or stack.id not in self._interrupted:
            raise StackError(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        deployment = self._interrupted[stack.id]
        stack.begin("ROLLBACK", token)
        is_create = stack.status == "CREATE_FAILED"
        stack.enter("ROLLBACK_IN_PROGRESS" if is_create else "UPDATE_ROLLBACK_IN_PROGRESS", _INITIATED)

        def work(operation: Operation) -> None:
            deployment.operation = operation
            if is_create:
                self._delete_created(deployment)
            else:
                self._roll_back(deployment, set(), "UPDATE")

        return self._operation(stack, work)

    def cancel_update(self, stack: Stack) -> None:
        """Cancel an update that is in progress, which rolls it back."""
        operation = self._operations.get(stack.id)
        if stack.status != "UPDATE_IN_PROGRESS" or operation is None:
            raise StackError("CancelUpdateStack cannot be called from current stack status")
        operation.cancel()

    def _operation(self, stack: Stack, work: Callable[[Operation], None], after: Operation | None = None) -> Operation:
        def defect(error: Exception) -> None:
            verb = next((verb for verb in ("CREATE", "DELETE") if stack.status.startswith(verb)), "UPDATE")
            stack.enter(f"{verb}_FAILED", f"The sandbox cannot do this: {type(error).__name__}")

        operation = Operation(work, after, defect=defect)
        self._operations[stack.id] = operation
        return operation

    def _deployment(
        self,
        stack: Stack,
        operation: Operation,
        imports: Mapping[str, str] | None = None,
        *,
        deletes_retained: bool = False,
    ) -> Deployment:
        exports = self.exports(stack.place)
        return Deployment(stack, self.scripts, operation, exports, imports or {}, deletes_retained)

    def _undo_creation(self, deployment: Deployment, verb: str, logical_id: str, on_failure: str) -> None:
        self._end_creation(deployment, failed_to(verb, [logical_id]), on_failure)

    def _end_creation(self, deployment: Deployment, reason: str, on_failure: str) -> None:
        stack = deployment.stack
        if _is_taken_over(stack):
            return
        if on_failure == "DO_NOTHING":
            self._interrupted[stack.id] = deployment
            stack.enter("CREATE_FAILED", reason)
        elif on_failure == "DELETE":
            stack.enter("DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
            self._delete(deployment, frozenset(), is_own=True)
        else:
            stack.enter("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            self._delete_created(deployment)

    def _delete_created(self, deployment: Deployment) -> None:
        stack = deployment.stack
        failed = [name for name in deployment.order() if not self._remove_created(deployment, name)]
        stack.outputs = []
        if _is_taken_over(stack):
            return
        if failed:
            stack.enter("ROLLBACK_FAILED", failed_to("delete", failed))
        else:
            stack.enter("ROLLBACK_COMPLETE")

    def _remove_created(self, deployment: Deployment, name: str) -> bool:
        resource = deployment.stack.resources[name]
        imported = name in deployment.imports
        if imported:
            deployment.stack.mark(resource, "DELETE_SKIPPED")
        return imported or deployment.remove(resource, is_own=True)

    def _undo_update(self, deployment: Deployment, reason: str, kind: str) -> None:
        stack = deployment.stack
        if _is_taken_over(stack):
            return
        if stack.disables_rollback:
            self._interrupted[stack.id] = deployment
            stack.enter(f"{kind}_FAILED", reason)
            return
        stack.enter(f"{kind}_ROLLBACK_IN_PROGRESS", reason)
        self._roll_back(deployment, set(), kind)

    def _roll_back(self, deployment: Deployment, skipped: AbstractSet[str], kind: str) -> None:
        stack = deployment.stack
        try:
            deployment.undo(skipped)
        except StepFailedError as failure:
            self._interrupted[stack.id] = deployment
            stack.enter(f"{kind}_ROLLBACK_FAILED", failed_to(failure.verb, [failure.logical_id]))
            return
        if kind == "UPDATE":
            stack.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        deployment.remove_leftover()
        self._interrupted.pop(stack.id, None)
        stack.enter(f"{kind}_ROLLBACK_COMPLETE")

    def _delete(self, deployment: Deployment, retained: AbstractSet[str], *, is_own: bool = False) -> None:
        stack = deployment.stack
        failed = (
            [name for name in deployment.order() if not self._remove_created(deployment, name)]
            if is_own
            else deployment.delete_all(retained)
        )
        if failed:
            stack.enter("DELETE_FAILED", failed_to("delete", failed))
            return
        stack.deleted = now()
        stack.outputs = []
        stack.change_sets = {}
        stack.enter("DELETE_COMPLETE")


def _is_taken_over(stack: Stack) -> bool:
    """Return whether DeleteStack has cancelled the operation, and goes on when it has ended."""
    return stack.operation_type == "DELETE_STACK"
