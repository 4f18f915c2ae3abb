"""Requests of clients that ended in the middle of them."""

import socket
from collections.abc import Iterator

import pytest

from contactsync.sandbox.scenario.scenario import Scenario
from contactsync.sandbox.server import Sandbox

BODY = b'{"TableName": "records", "Key": {"pk": {"S": "one"}}}'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox."""
    with Sandbox(Scenario.model_validate({"organization": {"accounts": 1}})) as running:
        yield running


def answer_to(sandbox: Sandbox, body: bytes) -> bytes:
    """Send a request that announces the whole body, and so much of it, and return what comes back."""
    head = (
        "POST / HTTP/1.1\r\nHost: dynamodb\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=k/20260114/us-east-1/dynamodb/aws4_request\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    port = int(sandbox.endpoint_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


@pytest.mark.parametrize("sent", [0, 1, len(BODY) - 1])
def test_cut_off(sandbox: Sandbox, sent: int) -> None:
    """A request whose body is not whole is no call: nothing is answered, and nothing is in the call log."""
    sandbox.call_log.clear()
    assert answer_to(sandbox, BODY[:sent]) == b""
    assert sandbox.call_log.query() == []


def test_whole(sandbox: Sandbox) -> None:
    """The same request with its whole body is a call."""
    sandbox.call_log.clear()
    assert b"ResourceNotFoundException" in answer_to(sandbox, BODY)
    assert [call.operation for call in sandbox.call_log.query()] == ["GetItem"]
