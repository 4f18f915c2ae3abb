"""The path of a contact change in the sandbox: account call, CloudTrail event, rule, function, MWAA, local Airflow."""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.core.exceptions import JsonRESTError
from moto.events.models import Rule
from werkzeug.wrappers import Request, Response

from contactsync.sandbox.events import moto_events
from contactsync.sandbox.events.cloudtrail import RecordedCall, event_of, is_recorded
from contactsync.sandbox.events.delivery import Delivery
from contactsync.sandbox.events.event_settings import EventSettings
from contactsync.sandbox.functions.functions import Functions, answer_headers
from contactsync.sandbox.functions.invocations import PAYLOAD_LIMIT, AsyncInvocations
from contactsync.sandbox.functions.queue_polling import QueuePolling
from contactsync.sandbox.loop.mwaa import Mwaa
from contactsync.sandbox.messages import moto_messages
from contactsync.sandbox.messages.chat import ChatChannels
from contactsync.sandbox.messages.inbox import Inbox
from contactsync.sandbox.messages.topic_delivery import TopicDelivery
from contactsync.sandbox.messages.user_notifications import UserNotifications
from contactsync.sandbox.ops_items import ops_items_api
from contactsync.sandbox.ops_items.ops_items import OpsItems
from contactsync.sandbox.queues.delayed_calls import DelayedCalls
from contactsync.sandbox.requests.callers import Callers, session_variables
from contactsync.sandbox.requests.faults import Faults
from contactsync.sandbox.scenario.stack_settings import StackSettings
from contactsync.sandbox.stacks import mwaa_type, notification_types, stacks_api, template_types
from contactsync.sandbox.stacks.mwaa_environments import Environments
from contactsync.sandbox.stacks.stack_operations import Scripts
from contactsync.sandbox.stacks.stack_service import StackService

logger = logging.getLogger(__name__)


class InvalidContentError(JsonRESTError):  # type: ignore[misc] # moto has no types for us
    """Invoke got a body that is not JSON."""

    code = 400

    def __init__(self) -> None:
        super().__init__("InvalidRequestContentException", "Could not parse request body into json")


class PayloadTooLargeError(JsonRESTError):  # type: ignore[misc] # moto has no types for us
    """An asynchronous Invoke got more bytes than Lambda accepts."""

    code = 413

    def __init__(self) -> None:
        message = f"Request must be smaller than {PAYLOAD_LIMIT} bytes for the InvokeFunction operation"
        super().__init__("RequestTooLargeException", message)


class Loop:
    """The event side of one sandbox; between `start` and `stop` it owns threads and the processes of functions."""

    def __init__(
        self,
        settings: EventSettings,
        *,
        code_root: Path | None,
        management_account: str,
        faults: Faults | None = None,
        stack_settings: StackSettings | None = None,
    ) -> None:
        """Build the parts without starting them; `faults` can hit entries of batches.

        Functions run from `code_root`, or without it each from its own zip.
        """
        self.management_account = management_account
        self.environments = Environments()
        self.mwaa = Mwaa(self.environments)
        self.calls = DelayedCalls()
        self.stacks = StackService(Scripts(stack_settings))
        self.functions = Functions(code_root, self._client_environment)
        self._settings_at_start = settings
        invocations = AsyncInvocations(self.functions, self.calls, lambda: self.delivery.settings.time_scale)
        self._invocations = invocations
        self.inbox = Inbox()
        self.chat_channels = ChatChannels(self.inbox)
        notifications = UserNotifications(self.inbox)
        self.delivery = Delivery(self.functions, invocations, self.calls, settings, on_event=notifications.on_event)
        self._notifications = notification_types.Notifications(notifications, self.chat_channels)
        self._messages = moto_messages.Messages(TopicDelivery(self.inbox, self.chat_channels), faults or Faults())
        self._ops_items = ops_items_api.OpsItemsApi(OpsItems(self._put_aws_event), Callers(management_account))
        self.queue_polling = QueuePolling(self.functions, lambda: self.delivery.settings.time_scale)
        self._endpoint_url = ""
        self._handed_over = ExitStack()

    def start(self, endpoint_url: str) -> None:
        """Start to deliver events; functions call AWS at this endpoint."""
        self._endpoint_url = endpoint_url
        self.calls.start()
        self._hand_over()
        self.queue_polling.start()

    def stop(self) -> None:
        """End deliveries and the processes of functions; no thread and no process is left."""
        self.stacks.stop()
        self._handed_over.close()
        self.calls.close()
        self.queue_polling.close()
        self.functions.stop()
        self.queue_polling.join()
        self.calls.join()

    def _hand_over(self) -> None:
        for handed_over in (
            moto_events.handover.to(self),
            moto_messages.handover.to(self._messages),
            ops_items_api.handover.to(self._ops_items),
            template_types.handover.to(None),
            mwaa_type.handover.to(self.environments),
            stacks_api.handover.to(stacks_api.StacksApi(self.stacks)),
            notification_types.handover.to(self._notifications),
        ):
            self._handed_over.enter_context(handed_over)

    def on_call(self, call: RecordedCall) -> None:
        """Put the event of a recorded call on the bus, and return at once; if no event can be made of it, log that."""
        if not is_recorded(call):
            return
        try:
            self.delivery.put(event_of(call, self.delivery.settings), origin="CloudTrail")
        except (RecursionError, ValueError, TypeError):
            logger.exception("No event could be made of a call of %s", call.operation)

    def _put_aws_event(self, event: Mapping[str, Any]) -> None:
        self.delivery.put(event, origin="Systems Manager")

    def deliver(self, event: Mapping[str, Any], rule: Rule) -> None:
        """Deliver an event of PutEvents to a rule's targets (called by moto)."""
        self.delivery.deliver(event, rule)

    def invoke(self, function: LambdaFunction, body: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Run a function for Invoke (called by moto): at once for RequestResponse, from a queue for Event."""
        try:
            event = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidContentError from error
        kind = headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        if kind == "DryRun":
            return "", {}
        if kind == "Event":
            if len(body.encode()) > PAYLOAD_LIMIT:
                raise PayloadTooLargeError
            self._invocations.accept(function, event, lambda _: None)
            return "", {}
        invocation = self.functions.invoke(function, event)
        return invocation.payload, answer_headers(invocation)

    def _client_environment(self, function: LambdaFunction) -> dict[str, str]:
        """Return the sandbox's endpoint and the credentials of a session of the function's role."""
        return {
            "AWS_ENDPOINT_URL": self._endpoint_url,
            **session_variables(function.role, function.function_name, function.region),
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def mwaa_request(request: Request) -> str | None:
    """Return the region when the request is signed for the service `airflow`, else None."""
    scope = request.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    expected = 5
    if len(scope) == expected and scope[3] == "airflow":
        return scope[2]
    return None


def respond_as_mwaa(loop: Loop, request: Request, account: str) -> Response | None:
    """Answer a request for MWAA; return None for every other one."""
    region = mwaa_request(request)
    return None if region is None else loop.mwaa.respond(request, account=account, region=region)
