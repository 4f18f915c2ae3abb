"""How AWS says that a caller has no permission: the code, status and words of each service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contactsync.sandbox.access.policies import Decision, Need
from contactsync.sandbox.requests.authorization import Refusal
from contactsync.sandbox.requests.wire import WireError


@dataclass(frozen=True)
class _Form:
    code: str = "AccessDeniedException"
    status: int = 400


_FORMS: Final[Mapping[str, _Form]] = {
    "account": _Form(status=403),
    "cloudformation": _Form("AccessDenied", 403),
    "cloudwatch": _Form("AccessDenied", 403),
    "iam": _Form("AccessDenied", 403),
    "lambda": _Form(status=403),
    "mwaa": _Form(status=403),
    "s3": _Form("AccessDenied", 403),
    "sns": _Form("AuthorizationError", 403),
    "sqs": _Form("AccessDenied", 403),
    "sts": _Form("AccessDenied", 403),
}
"""Services that answer in another form than AccessDeniedException with the status 400."""


def refusal_of(service: str, caller_arn: str, need: Need, decision: Decision) -> Refusal:
    """Return the service's error for a need that the policies deny."""
    form = _FORMS.get(service, _Form())
    action = _spelled(service, need.action)
    resource = f'"{need.resource}"' if service == "s3" else need.resource
    reason = (
        "with an explicit deny in an identity-based policy"
        if decision.denied_explicitly
        else f"because no identity-based policy allows the {action} action"
    )
    message = f"User: {caller_arn} is not authorized to perform: {action} on resource: {resource} {reason}"
    return Refusal(WireError(form.code, message), form.status)


def _spelled(service: str, action: str) -> str:
    """Return the action as the service writes it in errors."""
    if service == "sqs":
        return action.lower()
    return f"SNS:{action.partition(':')[2]}" if service == "sns" else action
