"""A small sandbox for the tests of the event side: moto, MWAA and the control routes, without the account API."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request

from contactsync.sandbox.control.control import Control
from contactsync.sandbox.control.loop_control import offer_loop
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.loop.loop import Loop, respond_as_mwaa
from contactsync.sandbox.stacks.templates import Stack, deploy

ACCOUNT = "123456789012"
HANDLERS = Path(__file__).parent
_SESSION = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
"""One for all tests, because each session reads the services' models again."""


class SmallSandbox:
    """The loop behind one port, and what tests ask of it."""

    def __init__(self, loop: Loop, endpoint_url: str) -> None:
        """Take a loop that runs and where it is reached."""
        self.loop = loop
        self.endpoint_url = endpoint_url
        self.session = _SESSION

    def client(self, service: str, **settings: Any) -> Any:
        """Make a client of the management account."""
        return self.session.client(service, endpoint_url=self.endpoint_url, **settings)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Call the control API and return what it answers."""
        return requests.request(method, f"{self.endpoint_url}/_sandbox{path}", json=body, timeout=60).json()

    def deploy(self, directory: Path, **parameters: str) -> list[Stack]:
        """Deploy the templates in the directory."""
        return deploy(directory, session=self.session, endpoint_url=self.endpoint_url, parameters=parameters)

    def put(self, **changes: Any) -> str:
        """Put a contact change on the bus and return its id."""
        detail = {"eventSource": "account.amazonaws.com", "eventName": "PutAlternateContact", "eventID": "e-1"}
        event = {"source": "aws.account", "detail-type": "AWS API Call via CloudTrail", "detail": detail | changes}
        return str(self.control("POST", "/events", event)["id"])

    def deliveries(self, event_id: str) -> list[dict[str, Any]]:
        """List what became of an event so far."""
        return next(event for event in self.control("GET", f"/events?id={event_id}")["events"])["deliveries"]

    def settle(self) -> None:
        """Wait until nothing is on its way."""
        assert self.loop.calls.wait_until_idle(120), "deliveries did not end"

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Take the messages of a queue."""
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return list(found.get("Messages", []))


@contextlib.contextmanager
def small_sandbox(code_root: Path | None = HANDLERS, **settings: Any) -> Iterator[SmallSandbox]:
    """Run a small sandbox, and leave no thread and no process behind."""
    loop = Loop(
        EventSettings.model_validate({"delay": 0, "time_scale": 0.001} | settings),
        code_root=code_root,
        management_account=ACCOUNT,
    )
    server = make_server("127.0.0.1", 0, application(loop), threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    endpoint_url = f"http://127.0.0.1:{server.server_port}"
    requests.post(f"{endpoint_url}/moto-api/reset", timeout=30)
    loop.start(endpoint_url)
    try:
        sandbox = SmallSandbox(loop, endpoint_url)
        sandbox.client("iam").create_role(RoleName="tried-role", AssumeRolePolicyDocument="{}")
        yield sandbox
    finally:
        loop.stop()
        server.shutdown()
        thread.join()
        server.server_close()


def application(loop: Loop) -> Callable[..., Any]:
    """Serve moto, MWAA and the control routes of the loop."""
    moto = DomainDispatcherApplication(create_backend_app)
    control = Control()
    offer_loop(control, loop)

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        if request.path.startswith("/_sandbox/"):
            return control(environ, start_response)
        response = respond_as_mwaa(loop, request, ACCOUNT)
        return (response or moto)(environ, start_response)

    return serve


def wait_for(condition: Callable[[], Any], timeout: float = 120) -> Any:
    """Wait until the condition holds and return what it gave."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come to hold"
        time.sleep(0.01)
    return value
