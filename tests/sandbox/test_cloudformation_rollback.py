"""Operations of CloudFormation that fail, take time, or are cancelled."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox, wait_for
from tests.sandbox.stack_calls import STACK, StackCalls, body, queue, table

TWO = {"Queue": queue("one", VisibilityTimeout=10), "Table": table("two")}
CHANGED = {"Queue": queue("one", VisibilityTimeout=20), "New": queue("new"), "Table": table("two")}
FAILING = {"logical_id": "Failing", "error": "No more of these today"}
LAST = {"Failing": queue("failing") | {"DependsOn": ["Queue", "Table"]}}


@pytest.fixture
def sandbox() -> Iterator[SmallSandbox]:
    """Give each test an empty sandbox."""
    with small_sandbox() as running:
        yield running


@pytest.fixture
def stacks(sandbox: SmallSandbox) -> StackCalls:
    """Return the calls of CloudFormation."""
    return StackCalls(sandbox)


def queues(stacks: StackCalls) -> dict[str, str]:
    """Return the queues' names and their visibility timeouts."""
    sqs = stacks.sandbox.client("sqs")
    found = {}
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        found[url.rpartition("/")[2]] = attributes["VisibilityTimeout"]
    return found


def ended(stacks: StackCalls, stack: str = STACK) -> str:
    """Wait for the end of the stack's operation, and return its status."""
    return str(wait_for(lambda: "PROGRESS" not in (status := stacks.status(stack)) and status))


def test_create_rolls_back(stacks: StackCalls) -> None:
    """A creation that fails deletes what it has created, except what must be kept."""
    resources = {
        "Queue": queue("one"),
        "Table": table("two", DeletionPolicy="RetainExceptOnCreate"),
        "Kept": table("three", DeletionPolicy="Retain"),
        "Failing": queue("failing") | {"DependsOn": ["Queue", "Table", "Kept"]},
    }
    stacks.script(resources=[FAILING])
    assert stacks.create(body(resources)) == "ROLLBACK_COMPLETE"
    assert stacks.reason("Failing", "CREATE_FAILED") == "No more of these today"
    assert "failed to create: [Failing]" in stacks.reason(STACK, "ROLLBACK_IN_PROGRESS")
    assert (stacks.tables(), queues(stacks)) == (["three"], {})
    assert ("Kept", "DELETE_SKIPPED") in stacks.events()
    refusal = stacks.refused("update_stack", StackName=STACK, TemplateBody=body(TWO))
    assert "is in ROLLBACK_COMPLETE state and can not be updated." in refusal[1]
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.client.describe_stacks()["Stacks"] == []


def test_rollback_can_delete_retained(stacks: StackCalls) -> None:
    """With RetainExceptOnCreate the rollback of a creation deletes what has the policy Retain, too."""
    stacks.script(resources=[FAILING])
    kept = {"Table": table("two", DeletionPolicy="Retain"), "Failing": queue("failing") | {"DependsOn": ["Table"]}}
    assert stacks.create(body(kept), RetainExceptOnCreate=True) == "ROLLBACK_COMPLETE"
    assert stacks.tables() == []


@pytest.mark.parametrize(("choice", "status"), [("DELETE", "DELETE_COMPLETE"), ("DO_NOTHING", "CREATE_FAILED")])
def test_on_stack_failure(stacks: StackCalls, choice: str, status: str) -> None:
    """A change set says what happens to a new stack that fails."""
    stacks.script(resources=[FAILING])
    stack_id = stacks.change_set(body(TWO | LAST), "CREATE", OnStackFailure=choice)["StackId"]
    stacks.client.execute_change_set(StackName=STACK, ChangeSetName="change")
    assert stacks.status(stack_id) == status
    assert stacks.tables() == ([] if choice == "DELETE" else ["two"])


def test_failed_creation_goes_on(stacks: StackCalls) -> None:
    """A stack that failed without a rollback is completed by an update, or rolled back by a later call."""
    stacks.script(resources=[FAILING | {"count": 1}])
    assert stacks.create(body(TWO | LAST), OnFailure="DO_NOTHING") == "CREATE_FAILED"
    assert stacks.update(body(TWO | LAST)) == "UPDATE_COMPLETE"
    assert sorted(queues(stacks)) == ["failing", "one"]
    stacks.client.delete_stack(StackName=STACK)
    stacks.script(resources=[FAILING])
    stacks.create(body(TWO | LAST), DisableRollback=True)
    stacks.client.rollback_stack(StackName=STACK)
    assert (stacks.status(), stacks.tables()) == ("ROLLBACK_COMPLETE", [])


def test_update_rolls_back(stacks: StackCalls) -> None:
    """An update that fails sets the old properties again, and deletes what it has added."""
    stacks.create(body(TWO))
    stacks.script(resources=[FAILING])
    renamed = CHANGED | {"Table": table("other", UpdateReplacePolicy="Retain")} | LAST
    assert stacks.update(body(renamed)) == "UPDATE_ROLLBACK_COMPLETE"
    assert (queues(stacks), stacks.tables()) == ({"one": "10"}, ["two"])
    events = stacks.events()
    rollback = events[events.index((STACK, "UPDATE_ROLLBACK_IN_PROGRESS")) :]
    assert ("Queue", "UPDATE_COMPLETE") in rollback
    assert ("New", "DELETE_COMPLETE") in rollback[
        rollback.index((STACK, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")) :
    ]
    assert "failed to create: [Failing]" in stacks.reason(STACK, "UPDATE_ROLLBACK_IN_PROGRESS")
    stacks.script()
    assert stacks.update(body(renamed)) == "UPDATE_COMPLETE"
    assert stacks.tables() == ["other"]


def test_rollback_fails(stacks: StackCalls) -> None:
    """A rollback that fails can be continued, with or without the resource that failed."""
    stacks.create(body(TWO))
    broken = {"logical_id": "Queue", "action": "rollback", "error": "Still broken"}
    stacks.script(resources=[FAILING, broken])
    assert stacks.update(body(CHANGED | LAST)) == "UPDATE_ROLLBACK_FAILED"
    assert stacks.reason("Queue", "UPDATE_FAILED") == "Still broken"
    refusal = stacks.refused("update_stack", StackName=STACK, TemplateBody=body(TWO))
    assert "is in UPDATE_ROLLBACK_FAILED state" in refusal[1]
    stacks.client.continue_update_rollback(StackName=STACK)
    assert stacks.status() == "UPDATE_ROLLBACK_FAILED"
    stacks.client.continue_update_rollback(StackName=STACK, ResourcesToSkip=["Queue"])
    assert (stacks.status(), queues(stacks)) == ("UPDATE_ROLLBACK_COMPLETE", {"one": "20"})
    assert stacks.refused("continue_update_rollback", StackName=STACK)[0] == "ValidationError"


def test_update_without_rollback(stacks: StackCalls) -> None:
    """An update without a rollback stays failed, and the next update goes on from there."""
    stacks.create(body(TWO))
    stacks.script(resources=[FAILING | {"count": 1}])
    assert stacks.update(body(CHANGED | LAST), DisableRollback=True) == "UPDATE_FAILED"
    assert queues(stacks)["one"] == "20"
    assert stacks.update(body(CHANGED | LAST)) == "UPDATE_COMPLETE"


def test_progress(stacks: StackCalls) -> None:
    """Scripted time passes: the stack and its resource are in progress, for a second client too, which is refused."""
    stacks.script(resources=[{"logical_id": "Queue", "seconds": 600}])
    assert stacks.create(body(TWO)) == "CREATE_IN_PROGRESS"
    second = StackCalls(stacks.sandbox)
    (resource,) = second.client.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    assert resource["ResourceStatus"] == "CREATE_IN_PROGRESS"
    stack_id = second.client.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    busy = f"Stack:{stack_id} is in CREATE_IN_PROGRESS state and can not be updated."
    arguments = {"StackName": STACK, "TemplateBody": body(CHANGED)}
    assert second.refused("update_stack", **arguments)[1] == busy
    assert second.refused("create_change_set", **arguments, ChangeSetName="two")[1] == busy
    assert second.refused("create_stack", **arguments)[0] == "AlreadyExistsException"


def test_time_ends(stacks: StackCalls) -> None:
    """An operation that takes time ends by itself, and each state comes in its order."""
    stacks.create(body(TWO))
    stacks.script(resources=[{"type": "AWS::SQS::*", "seconds": 0.2}])
    assert stacks.update(body(CHANGED)) == "UPDATE_IN_PROGRESS"
    seen = set()

    def is_complete() -> bool:
        seen.add(stacks.status())
        return "UPDATE_COMPLETE" in seen

    wait_for(is_complete)
    assert "UPDATE_IN_PROGRESS" in seen
    assert (queues(stacks)["one"], "New" in {name for name, _ in stacks.events()}) == ("20", True)


def test_cancel_update(stacks: StackCalls) -> None:
    """A cancelled update is rolled back; nothing else can be cancelled."""
    stacks.create(body(TWO))
    assert "cannot be called" in stacks.refused("cancel_update_stack", StackName=STACK)[1]
    stacks.script(resources=[{"logical_id": "New", "action": "create", "seconds": 600}])
    assert stacks.update(body(CHANGED)) == "UPDATE_IN_PROGRESS"
    refusal = stacks.refused("delete_stack", StackName=STACK)
    assert "cannot be deleted while in status UPDATE_IN_PROGRESS" in refusal[1]
    stacks.client.cancel_update_stack(StackName=STACK)
    assert (ended(stacks), queues(stacks)) == ("UPDATE_ROLLBACK_COMPLETE", {"one": "10"})


def test_delete_during_creation(stacks: StackCalls) -> None:
    """DeleteStack ends a creation that is in progress, and deletes what there is."""
    stacks.script(resources=[{"logical_id": "Table", "action": "create", "seconds": 600}])
    assert stacks.create(body(TWO)) == "CREATE_IN_PROGRESS"
    stacks.client.delete_stack(StackName=STACK)
    wait_for(lambda: stacks.client.describe_stacks()["Stacks"] == [])
    assert (stacks.tables(), queues(stacks)) == ([], {})


def test_delete_during_rollback(stacks: StackCalls) -> None:
    """DeleteStack does not wait for the scripted times of the rollback that it takes over."""
    stacks.script(resources=[FAILING, {"action": "delete", "seconds": 600}])
    assert stacks.create(body(TWO | LAST)) == "ROLLBACK_IN_PROGRESS"
    stacks.client.delete_stack(StackName=STACK)
    wait_for(lambda: stacks.client.describe_stacks()["Stacks"] == [])
    assert (stacks.tables(), queues(stacks)) == ([], {})


def test_policies_roll_back(stacks: StackCalls) -> None:
    """A policy that an update has changed is as before after its rollback."""
    stacks.create(body(TWO))
    stacks.script(resources=[FAILING])
    stacks.update(body(TWO | {"Table": table("two", DeletionPolicy="Retain")} | LAST))
    assert stacks.change_set(body(TWO))["Status"] == "FAILED"
    stacks.client.delete_stack(StackName=STACK)
    assert stacks.tables() == []


def test_second_failure_rolls_all_back(stacks: StackCalls) -> None:
    """An update after one that failed without a rollback rolls back both, to the last state that worked."""
    stacks.create(body(TWO))
    stacks.script(resources=[FAILING])
    renamed = CHANGED | {"Table": table("other")} | LAST
    assert stacks.update(body(renamed), DisableRollback=True) == "UPDATE_FAILED"
    assert stacks.tables() == ["other", "two"]
    assert stacks.update(body(renamed | {"More": queue("more")})) == "UPDATE_ROLLBACK_COMPLETE"
    assert (stacks.tables(), queues(stacks)) == (["two"], {"one": "10"})


def test_execution_status(stacks: StackCalls) -> None:
    """A change set is being executed for as long as its operation is in progress, and says how it ended."""
    stacks.create(body(TWO))
    stacks.script(resources=[{"logical_id": "New", "action": "create", "seconds": 0.3}, FAILING])
    stacks.change_set(body(CHANGED | LAST))
    stacks.execute()
    assert stacks.described()["ExecutionStatus"] == "EXECUTE_IN_PROGRESS"
    wait_for(lambda: stacks.described()["ExecutionStatus"] == "EXECUTE_FAILED")
    assert stacks.status() == "UPDATE_ROLLBACK_COMPLETE"


def test_stop_ends_operations() -> None:
    """A sandbox that stops leaves no thread of an operation behind."""
    with small_sandbox() as running:
        stacks = StackCalls(running)
        stacks.script(resources=[{"seconds": 600}])
        assert stacks.create(body(TWO)) == "CREATE_IN_PROGRESS"
    assert [thread for thread in threading.enumerate() if thread.name == "cloudformation"] == []


def test_two_at_once(stacks: StackCalls) -> None:
    """Of two clients that execute a change set each at the same time, one is refused."""
    stacks.create(body(TWO))
    for name, seconds in (("one", 21), ("two", 22)):
        stacks.change_set(body(TWO | {"Queue": queue("one", VisibilityTimeout=seconds)}), name=name)
    stacks.script(resources=[{"logical_id": "Queue", "seconds": 600}])
    results: list[Any] = []

    def execute(name: str) -> None:
        client = StackCalls(stacks.sandbox).client
        try:
            results.append(client.execute_change_set(StackName=STACK, ChangeSetName=name) and "done")
        except client.exceptions.ClientError as error:
            results.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=execute, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["ChangeSetNotFound", "done"]


@pytest.mark.parametrize(
    "settings",
    [
        {"resources": [{"logical": "Queue"}]},
        {"resources": [{"action": "destroy"}]},
        {"resources": [{"seconds": -1}]},
        {"page_size": 0},
        [],
    ],
)
def test_refused_scripts(sandbox: SmallSandbox, settings: Any) -> None:
    """A script that has a mistake is refused in a sentence, and changes nothing."""
    before = sandbox.control("GET", "/stack-settings")
    assert "error" in sandbox.control("PUT", "/stack-settings", settings)
    assert sandbox.control("GET", "/stack-settings") == before
