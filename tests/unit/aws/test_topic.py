"""What SNS says of single messages of a batch, and whether the same message may be taken later."""

from types import SimpleNamespace
from typing import Any

import pytest

from contactsync.aws.topic import SnsTopic
from contactsync.bus.ports import Message, Refusal

MESSAGES = [Message("e-1", "{}", {"type": "t"}), Message("e-2", "{}", {"type": "t"})]


def refused(code: str, *, sender_fault: bool) -> list[Refusal]:
    """Return what the adapter makes of an answer in which the second message failed."""
    failed = [{"Id": "1", "Code": code, "SenderFault": sender_fault, "Message": "no"}]
    client: Any = SimpleNamespace(publish_batch=lambda **_: {"Successful": [], "Failed": failed})
    return SnsTopic(client, "arn:aws:sns:us-east-1:111122223333:events").send(MESSAGES)


@pytest.mark.parametrize("sender_fault", [True, False])
@pytest.mark.parametrize(
    ("code", "may_pass"),
    [
        ("AuthorizationError", False),
        ("NotFound", False),
        ("InvalidParameter", False),
        ("KMSAccessDenied", False),
        ("KMSDisabled", False),
        ("KMSInvalidState", False),
        ("KMSNotFound", False),
        ("KMSOptInRequired", False),
        ("KMSThrottling", True),
        ("Throttled", True),
        ("InternalError", True),
    ],
)
def test_known(code: str, may_pass: bool, sender_fault: bool) -> None:  # noqa: FBT001 -- parameters of a test
    """A code that is known decides, whoever is at fault by the answer."""
    assert refused(code, sender_fault=sender_fault) == [Refusal("e-2", code, may_pass)]


@pytest.mark.parametrize("sender_fault", [True, False])
def test_unknown(sender_fault: bool) -> None:  # noqa: FBT001 -- parameter of a test
    """A code that is not known may pass unless the answer calls it the sender's fault."""
    assert refused("Novelty", sender_fault=sender_fault) == [Refusal("e-2", "Novelty", may_pass=not sender_fault)]
