"""Airflow's REST API of an Airflow at an address: one that is not MWAA's, or the one of `make run`."""

import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit

from contactsync.errors import AirflowRefusedError, AirflowSilentError
from contactsync.plain_text import one_line
from contactsync.runs.runs import Json

TIMEOUT: Final = 30.0
"""Seconds to wait for Airflow's answer."""
REASON_LENGTH: Final = 300
"""Characters of Airflow's own words in an error."""
THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_UNAUTHORIZED: Final = 401
_ERROR: Final = 300  # also a redirection: Airflow's API has none, and a token must not follow one elsewhere


@dataclass(frozen=True)
class SignIn:
    """Who signs in: a user with a password, or a token that somebody has made; nobody where all are administrators."""

    username: str | None = None
    password: str = ""
    token: str | None = None


class AirflowServer:
    """One Airflow, as one user; a token is fetched when it is needed, and again when it has expired."""

    def __init__(self, url: str, sign_in: SignIn, *, timeout: float = TIMEOUT, of_mwaa: bool = False) -> None:
        """Keep the address and who signs in, and send nothing yet; errors of MWAA's web server have other advice."""
        self._url = url
        self._of_mwaa = of_mwaa
        self._sign_in = sign_in
        self._token = sign_in.token
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_proxies(url), _NoRedirection)

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Send a request; raise AirflowRefusedError for an error of Airflow, AirflowSilentError without an answer."""
        query = f"?{urlencode(parameters, doseq=True)}" if parameters else ""
        place = f"/api/v2{path}{query}"
        if self._token is None:
            self._token = self._new_token()
        try:
            return self._send(method, place, body, token=self._token)
        except AirflowRefusedError as error:
            if error.status != _UNAUTHORIZED or self._sign_in.token is not None:
                raise
        self._token = self._new_token()
        return self._send(method, place, body, token=self._token)

    def _new_token(self) -> str:
        user = self._sign_in
        if user.username is None:
            answer = self._send("GET", "/auth/token")
        else:
            answer = self._send("POST", "/auth/token", {"username": user.username, "password": user.password})
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise self._refused("/auth/token", None, "its answer has no token")
        return token

    def _send(self, method: str, place: str, body: Json | None = None, *, token: str | None = None) -> Json:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + place, data, headers, method=method)  # noqa: S310 -- the settings take http and https only
        what = f"{method} {place.partition('?')[0].removeprefix('/api/v2')}"
        with _answering(self._url, of_mwaa=self._of_mwaa):
            status, content = self._answer(request)
        document = _document(content)
        if status >= _ERROR:
            raise self._refused(what, status, _detail(document))
        if not isinstance(document, dict):
            raise self._refused(what, None, "its answer is not an object of Airflow's API")
        return document

    def _answer(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def _refused(self, what: str, status: int | None, reason: str) -> AirflowRefusedError:
        return AirflowRefusedError(what, status, reason, server=self._url, of_mwaa=self._of_mwaa)


def cookie_of_form(url: str, path: str, fields: Mapping[str, str], cookie: str) -> str:
    """Send a form to MWAA's web server, and return the cookie that it sets; raises like `AirflowServer.call`."""
    jar = CookieJar()
    opener = urllib.request.build_opener(_proxies(url), urllib.request.HTTPCookieProcessor(jar), _SameServer(url))
    request = urllib.request.Request(url + path, urlencode(fields).encode(), method="POST")  # noqa: S310 -- always http or https
    with _answering(url, of_mwaa=True):
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                status = answer.status
        except HTTPError as error:
            with error:
                status = error.code
    for found in jar:
        if found.name == cookie and found.value and status < _ERROR:
            return found.value
    raise AirflowRefusedError(f"POST {path}", status, "no sign-in", server=url, of_mwaa=True)


@contextmanager
def _answering(url: str, *, of_mwaa: bool) -> Iterator[None]:
    """Raise AirflowSilentError for every failure of the network."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise AirflowSilentError(server=url, reason=_words(reason), of_mwaa=of_mwaa) from None


def _proxies(url: str) -> urllib.request.ProxyHandler:
    """Return the proxies of the environment, and none for an Airflow on this machine."""
    return urllib.request.ProxyHandler({} if urlsplit(url).hostname in THIS_MACHINE else None)


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follows redirections to the same server only."""

    def __init__(self, url: str) -> None:
        self._beginning = f"{url}/"

    def redirect_request(self, *parts: Any) -> urllib.request.Request | None:  # noqa: ANN401 -- as urllib calls it
        """Return the next request, or None to leave the answer as it is."""
        return super().redirect_request(*parts) if parts[-1].startswith(self._beginning) else None


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Follows no redirection."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Leave the answer as it is."""


def _document(content: bytes) -> object:
    """Return the JSON of an answer, or None: a page, or half an answer."""
    try:
        return json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return None


def _detail(document: object) -> str:
    """Return Airflow's reason: a text, or a list of the problems with the request; nothing of another server's page."""
    detail = document.get("detail") if isinstance(document, dict) else None
    reason = detail if isinstance(detail, str) else json.dumps(detail) if detail else ""
    return one_line(reason, REASON_LENGTH) or "no reason"


def _words(reason: object) -> str:
    text = (reason.strerror or "") if isinstance(reason, OSError) else ""
    return one_line(text or str(reason) or type(reason).__name__, REASON_LENGTH)
