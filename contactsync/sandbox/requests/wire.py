"""AWS calls as HTTP: the service, operation and parameters of a request, and errors in the protocol of the service."""

import functools
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from moto.core.errors import COMMON_ERROR_CODES, ErrorLookupFactory
from moto.core.model import OperationModel, ServiceModel
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

UNKNOWN_OPERATION = "Unknown"
_BOTOCORE_NAMES = {
    "airflow": "mwaa",
    "eventbridge": "events",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
}
_STATUSES = {  # codes that many services answer without having them in their model
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredToken": 403,
    "ExpiredTokenException": 403,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InternalServerException": 500,
    "InvalidClientTokenId": 403,
    "RequestTimeout": 408,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SlowDown": 503,
    "TooManyRequestsException": 429,
    "UnrecognizedClientException": 403,
}
_SIGNED = re.compile(r"Credential=([^/,\s]+)/\d+/([^/,\s]*)/([^/,\s]+)/aws4_request")
_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_XML_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_REQUEST_ID = re.compile(r"(<RequestI[dD]>)[^<]*(</RequestI[dD]>)")
_RPC_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_errors = ErrorLookupFactory()
_ACCOUNT_ID = re.compile(r"[0-9]{12}", re.ASCII)


@dataclass(frozen=True)
class WireCall:
    """What a request asks for, known before it is carried out; `service` is the name in the SDK."""

    service: str
    operation: str
    access_key: str
    region: str
    parameters: Mapping[str, object]

    @property
    def target_account(self) -> str | None:
        """The account id in the request's AccountId; other text there can be personal data and is ignored."""
        account = self.parameters.get("AccountId")
        return account if isinstance(account, str) and _ACCOUNT_ID.fullmatch(account) else None


@dataclass(frozen=True)
class WireError:
    """The error in an answer."""

    code: str
    message: str


class _ServiceError(Exception):
    """An error for moto's serializers; they would look up an exception of moto in the wrong service."""

    def __init__(self, error: WireError) -> None:
        self.code = error.code
        self.message = error.message
        super().__init__(error.code)


def read_call(request: Request) -> WireCall | None:
    """Return what a signed request asks for; None when it is not signed with SigV4, so that no SDK has sent it."""
    signed = _SIGNED.search(request.headers.get("Authorization", ""))
    if signed is None:
        credential = request.args.get("X-Amz-Credential", "")
        signed = _SIGNED.search(f"Credential={credential}")
    if signed is None:
        return None
    access_key, region, scope = signed.groups()
    service = _service(scope, request)
    operation, parameters = _operation(service, request)
    return WireCall(service, operation, access_key, region, parameters)


def error_response(request: Request, service: str, operation: str, error: WireError, status: int | None) -> Response:
    """Return the answer of the service for this error; `status` replaces the one of its model."""
    body, headers = _serialized(request, service, operation, error)
    request_id = str(uuid.uuid4())
    response = Response(_REQUEST_ID.sub(rf"\g<1>{request_id}\g<2>", body))
    response.headers.update(headers)
    response.status_code = status or status_of(service, error.code)
    response.headers["x-amzn-RequestId"] = request_id
    name_the_request(response, service)
    if "x-amzn-errortype" in response.headers:
        response.headers["x-amzn-ErrorType"] = error.code
    return response


def name_the_request(response: Response, service: str) -> None:
    """Give an answer of S3 its own header with the request's id: an error of HEAD has no body that could have it."""
    if service == "s3" and not response.headers.get("x-amz-request-id"):
        response.headers["x-amz-request-id"] = response.headers["x-amzn-RequestId"]


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> WireError | None:
    """Return the error in an answer of any protocol; None when it is not an error."""
    if status < _CLIENT_ERROR:
        return None
    document = _json_object(body)
    match = _XML_CODE.search(body)
    queried = headers.get("x-amzn-query-error", "").partition(";")[0]  # what SDKs prefer for SQS and CloudWatch
    code = queried or headers.get("x-amzn-errortype") or document.get("__type") or document.get("code")
    code = str(code or (match and match[1].decode()) or f"HTTP{status}")
    message = document.get("message", document.get("Message"))
    if message is None and (text := _XML_MESSAGE.search(body)):
        message = text[1].decode(errors="replace")
    return WireError(code.rpartition("#")[2].partition(":")[0], str(message or ""))


def _service(scope: str, request: Request) -> str:
    if scope == "ses":
        return "sesv2" if request.path.startswith("/v2/") else "ses"
    if scope == "dynamodb" and request.headers.get("X-Amz-Target", "").startswith("DynamoDBStreams"):
        return "dynamodbstreams"
    return _BOTOCORE_NAMES.get(scope, scope)


def _operation(service: str, request: Request) -> tuple[str, Mapping[str, object]]:
    """Return the name of the operation and its parameters; JSON members are as the client sent them."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rpartition(".")[2], _json_object(request.get_data())
    form = _form(request)
    if "Action" in form:
        return str(form.pop("Action")), form
    if named := _RPC_PATH.fullmatch(request.path):
        return named[1], {}
    if operation := _fixed_paths(service).get((request.method, request.path.rstrip("/"))):
        return operation, _json_object(request.get_data())
    return _routed(service, request)


def _form(request: Request) -> dict[str, object]:
    if (request.content_type or "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.get_data().decode(errors="replace"), keep_blank_values=True))
    return dict(request.args.items()) if "Action" in request.args else {}


@functools.cache
def _fixed_paths(service: str) -> Mapping[tuple[str, str], str]:
    """Return the operations whose path has no labels; for the account service this is much faster than routing."""
    model = _model(service)
    if model is None or not str(model.protocol).startswith("rest"):
        return {}
    https = ((operation, model.operation_model(operation).http) for operation in model.operation_names)
    return {
        (str(http["method"]), str(http["requestUri"]).rstrip("/")): str(operation)
        for operation, http in https
        if "{" not in http["requestUri"] and "?" not in http["requestUri"] and service != "s3"
    }


def _routed(service: str, request: Request) -> tuple[str, Mapping[str, object]]:
    if _model(service) is None:
        return UNKNOWN_OPERATION, {}
    try:
        operation, labels = get_service_router(service).match(request)
    except (HTTPException, NotImplementedError):
        return UNKNOWN_OPERATION, {}
    body = {} if service == "s3" else _json_object(request.get_data())  # an S3 object may be JSON, but no parameter
    return str(operation.name), {**body, **labels}


@functools.cache
def _model(service: str) -> ServiceModel | None:
    try:
        return get_service_model(service)
    except (OSError, ValueError, LookupError):
        return None


def _json_object(body: bytes) -> dict[str, object]:
    if not body.lstrip().startswith(b"{"):
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _serialized(request: Request, service: str, operation: str, error: WireError) -> tuple[str, dict[str, str]]:
    model = _model(service)
    if model is None:
        return json.dumps({"__type": error.code, "message": error.message}), {"x-amzn-ErrorType": error.code}
    known = operation in model.operation_names
    operation_model = model.operation_model(operation) if known else OperationModel({}, model)
    if error.code not in COMMON_ERROR_CODES:
        COMMON_ERROR_CODES.append(error.code)  # else moto warns of each code that a service's model does not have
    serializer = get_serializer_class(service, determine_request_protocol(model, request.content_type))
    answer = serializer(operation_model=operation_model).serialize(_ServiceError(error))
    return str(answer["body"]), dict(answer["headers"])


def status_of(service: str, code: str) -> int:
    """Return the HTTP status of the service's model; for a code that the model does not have, the usual one."""
    model = _model(service)
    shape = _errors.for_service(model).from_code(code) if model else None
    if shape is None:
        return _STATUSES.get(code, _CLIENT_ERROR)
    without_status = _CLIENT_ERROR if shape.is_sender_fault else _SERVER_ERROR
    return int(shape.metadata.get("error", {}).get("httpStatusCode", without_status))
