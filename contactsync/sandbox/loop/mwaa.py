"""Amazon MWAA as its clients see it: InvokeRestApi, GetEnvironment and login tokens in front of a local Airflow."""

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from werkzeug.wrappers import Request, Response

from contactsync.sandbox.stacks.mwaa_environments import USABLE, Environments
from contactsync.sandbox.stacks.stack_records import Place

CALL_TIMEOUT = 10.0  # seconds, after which InvokeRestApi ends by itself
_RESPONSE_LIMIT = 6 * 1024 * 1024  # bytes
_PATH_LIMIT = 64  # characters
_LARGEST_PAGE = 25
_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
_NAME = re.compile(r"[a-zA-Z][0-9a-zA-Z\-_]{0,79}", re.ASCII)
_CLIENT_ERROR, _SERVER_ERROR, _UNAUTHORIZED = 400, 500, 401


class AirflowEnvironment(BaseModel):
    """A local Airflow that acts as an MWAA environment; without a user name, its tokens need no credentials."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str = Field(pattern=r"^[a-zA-Z][0-9a-zA-Z\-_]{0,79}$")
    base_url: str = Field(pattern=r"^https?://")
    username: str | None = None
    password: SecretStr | None = None
    region: str | None = Field(default=None, description="the only region that knows the environment; all by default")


class _ServiceError(Exception):
    """An error in the service's words."""

    def __init__(self, status: int, code: str, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = code
        self.body = body
        super().__init__(code)


class Mwaa:
    """The simulated service: the registered environments, and their Airflow's REST API."""

    def __init__(
        self, environments: Environments | None = None, *, rate: float = 10, timeout: float = CALL_TIMEOUT
    ) -> None:
        """Start without a registered Airflow; `timeout` is in seconds, `environments` are those of CloudFormation.

        `rate` is how many calls of InvokeRestApi are allowed per second and environment.
        """
        self._made = environments or Environments()
        self._rate = rate
        self._timeout = timeout
        self._lock = threading.Lock()
        self._environments: dict[str, AirflowEnvironment] = {}
        self._tokens: dict[str, str] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def register(self, environment: AirflowEnvironment) -> None:
        """Register an Airflow under its environment's name; it replaces an earlier one of that name."""
        with self._lock:
            self._environments[environment.environment] = environment
            self._tokens.pop(environment.environment, None)

    def registered(self) -> list[AirflowEnvironment]:
        """List the environments."""
        with self._lock:
            return list(self._environments.values())

    def respond(self, request: Request, *, account: str, region: str) -> Response:
        """Answer a request that is signed for the service `airflow`."""
        operation, _, name = request.path.strip("/").partition("/")
        try:
            if (request.method, operation) == ("POST", "restapi"):
                return self._invoke_rest_api(name, _body(request), account, region)
            if (request.method, operation) == ("POST", "webtoken"):
                return _answer(200, _login_token(self._environment(name, region)))
            if (request.method, operation) == ("GET", "environments") and name:
                return _answer(200, {"Environment": self._described(name, account, region)})
            if (request.method, operation) == ("GET", "environments"):
                return _answer(200, self._listed(request.args, account, region))
            raise _failure(404, "ResourceNotFoundException", f"The sandbox has no {request.method} {request.path}")
        except _ServiceError as error:
            return _answer(error.status, error.body, error.code)

    def _invoke_rest_api(self, name: str, body: Mapping[str, Any], account: str, region: str) -> Response:
        _validate(name, body)
        self._take_turn(account, name)
        environment = self._airflow_of(name, account, region)
        answer = self._forward(environment, body)
        if answer.status_code == _UNAUTHORIZED:
            self._forget_token(environment)
            answer = self._forward(environment, body)
        content = {"RestApiStatusCode": answer.status_code, "RestApiResponse": _document(answer)}
        if answer.status_code >= _SERVER_ERROR:
            raise _ServiceError(400, "RestApiServerException", content)
        if answer.status_code >= _CLIENT_ERROR:
            raise _ServiceError(400, "RestApiClientException", content)
        return _answer(200, content)

    def _described(self, name: str, account: str, region: str) -> dict[str, Any]:
        made = self._made.find(name, Place(account, region))
        if made:
            return made.as_json()
        if not self.registered():
            raise _unknown(name, region)
        return _described(self._environment(name, region), account, region)

    def _listed(self, query: Mapping[str, str], account: str, region: str) -> dict[str, Any]:
        """Return one page of names; a token is the number of names before the page."""
        registered = [item.environment for item in self.registered() if item.region in (None, region)]
        names = sorted({*registered, *self._made.names(Place(account, region))})
        size, start = query.get("MaxResults", str(_LARGEST_PAGE)), query.get("NextToken", "0")
        if not (size.isdecimal() and 1 <= int(size) <= _LARGEST_PAGE and start.isdecimal()):
            raise _invalid(member="MaxResults or NextToken", reason="is not valid")
        end = int(start) + int(size)
        return {"Environments": names[int(start) : end]} | ({"NextToken": str(end)} if end < len(names) else {})

    def _airflow_of(self, name: str, account: str, region: str) -> AirflowEnvironment:
        """Return the Airflow of an environment: the one of its name, or the only one that there is."""
        made = self._made.find(name, Place(account, region))
        if made is None:
            return self._environment(name, region)
        if made.status not in USABLE:
            raise _failure(400, "ValidationException", f"Environment {name} is in status {made.status}")
        registered = self.registered()
        if len(registered) == 1:
            return registered[0]
        return self._environment(name, region)

    def _environment(self, name: str, region: str) -> AirflowEnvironment:
        with self._lock:
            if not self._environments:
                message = "No Airflow is registered with the sandbox yet (PUT /_sandbox/airflow)"
                raise _failure(500, "InternalServerException", message)
            environment = self._environments.get(name)
        if environment is None or environment.region not in (None, region):
            raise _unknown(name, region)
        return environment

    def _take_turn(self, account: str, name: str) -> None:
        with self._lock:
            now = time.monotonic()
            tokens, since = self._buckets.get((account, name), (self._rate, now))
            tokens = min(self._rate, tokens + (now - since) * self._rate)
            allowed = tokens >= 1
            self._buckets[account, name] = (tokens - 1 if allowed else tokens, now)
        if not allowed:
            raise _failure(429, "ThrottlingException", "Rate exceeded")

    def _forward(self, environment: AirflowEnvironment, body: Mapping[str, Any]) -> requests.Response:
        sent = body.get("Body")
        try:
            return _http().request(
                body["Method"],
                f"{environment.base_url.rstrip('/')}/api/v2/{body['Path'].lstrip('/')}",
                params=body.get("QueryParameters") or {},
                json=sent,
                headers={"Authorization": f"Bearer {self._token(environment)}"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise _unanswered(504, "Airflow did not answer in time") from error
        except requests.RequestException as error:
            raise _unanswered(503, f"Airflow cannot be reached ({type(error).__name__})") from error

    def _token(self, environment: AirflowEnvironment) -> str:
        with self._lock:
            token = self._tokens.get(environment.environment)
        if token is None:
            token = self._new_token(environment)
            with self._lock:
                self._tokens[environment.environment] = token
        return token

    def _new_token(self, environment: AirflowEnvironment) -> str:
        url = f"{environment.base_url.rstrip('/')}/auth/token"
        if environment.username is None:
            answer = _http().get(url, timeout=self._timeout)
        else:
            password = environment.password.get_secret_value() if environment.password else ""
            credentials = {"username": environment.username, "password": password}
            answer = _http().post(url, json=credentials, timeout=self._timeout)
        document = _document(answer)
        if not answer.ok or not isinstance(document, dict) or "access_token" not in document:
            raise _unanswered(answer.status_code, "Airflow gave no token for the registered user")
        return str(document["access_token"])

    def _forget_token(self, environment: AirflowEnvironment) -> None:
        with self._lock:
            self._tokens.pop(environment.environment, None)


def _validate(name: str, body: Mapping[str, Any]) -> None:
    path, method = body.get("Path"), body.get("Method")
    if not _NAME.fullmatch(name):
        raise _invalid(member="Name", reason="must match [a-zA-Z][0-9a-zA-Z-_]* and have at most 80 characters")
    if not isinstance(path, str) or not 1 <= len(path) <= _PATH_LIMIT:
        raise _invalid(member="Path", reason=f"must have between 1 and {_PATH_LIMIT} characters")
    if ".." in path.split("/"):
        raise _invalid(member="Path", reason="must not leave the REST API")
    if method not in _METHODS:
        raise _invalid(member="Method", reason=f"must be one of {', '.join(_METHODS)}")
    if not isinstance(body.get("QueryParameters") or {}, dict):
        raise _invalid(member="QueryParameters", reason="must be an object")


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _failure(400, "SerializationException", "The request body is not a JSON object")
    return body


def _http() -> requests.Session:
    """Return a session for an Airflow on this machine; it ignores the shell's proxies and certificates."""
    session = requests.Session()
    session.trust_env = False
    return session


def _document(answer: requests.Response) -> object:
    if len(answer.content) > _RESPONSE_LIMIT:
        raise _unanswered(502, f"Airflow's answer is longer than {_RESPONSE_LIMIT} bytes")
    try:
        return answer.json() if answer.content else {}
    except ValueError:
        return answer.text


def _described(environment: AirflowEnvironment, account: str, region: str) -> dict[str, Any]:
    return {
        "Name": environment.environment,
        "Status": "AVAILABLE",
        "Arn": f"arn:aws:airflow:{region}:{account}:environment/{environment.environment}",
        "AirflowVersion": "3.3.1",
        "WebserverUrl": environment.base_url.partition("://")[2],
    }


def _login_token(environment: AirflowEnvironment) -> dict[str, Any]:
    """Return a token and where to use it: the local Airflow speaks no TLS, so there it is like one out of reach."""
    identities = {"IamIdentity": "user/sandbox", "AirflowIdentity": environment.username or ""}
    return {"WebToken": "none", "WebServerHostname": urlsplit(environment.base_url).netloc, **identities}


def _invalid(member: str, reason: str) -> _ServiceError:
    return _failure(400, "ValidationException", f"1 validation error detected: {member} {reason}")


def _unanswered(status: int, detail: str) -> _ServiceError:
    content = {"RestApiStatusCode": status, "RestApiResponse": {"detail": detail}}
    return _ServiceError(400, "RestApiServerException", content)


def _unknown(name: str, region: str) -> _ServiceError:
    return _failure(404, "ResourceNotFoundException", f"Environment {name} not found in {region}")


def _failure(status: int, code: str, message: str) -> _ServiceError:
    return _ServiceError(status, code, {"message": message})


def _answer(status: int, body: Mapping[str, Any], error: str | None = None) -> Response:
    response = Response(json.dumps(body), status=status, content_type="application/json")
    if error:
        response.headers["x-amzn-ErrorType"] = error
    return response
