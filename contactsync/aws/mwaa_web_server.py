"""Airflow's REST API of an MWAA environment at its web server, for paths that InvokeRestApi does not accept.

CreateWebLoginToken gives a token for one minute, and the web server's login gives Airflow's own token for it as a
cookie: https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from contactsync.airflow_server import AirflowServer, SignIn, cookie_of_form
from contactsync.aws.sdk.error_codes import translated
from contactsync.runs.runs import Json

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

LOGIN: Final = "/pluginsv2/aws_mwaa/login"
COOKIE: Final = "_token"


class MwaaWebServer:
    """The web server of one MWAA environment; the caller needs `airflow:CreateWebLoginToken` for a role in Airflow."""

    def __init__(self, client: "MWAAClient", name: str) -> None:
        self._client = client
        self._name = name
        self._server: AirflowServer | None = None

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Send a request, after signing in; raises like AirflowServer, and an AwsCallError when AWS gives no token."""
        if self._server is None:
            self._server = self._signed_in()
        return self._server.call(method, path, body, parameters=parameters)

    def _signed_in(self) -> AirflowServer:
        with translated("CreateWebLoginToken"):
            answer = self._client.create_web_login_token(Name=self._name)
        url = f"https://{answer['WebServerHostname']}"
        token = cookie_of_form(url, LOGIN, {"token": answer["WebToken"]}, COOKIE)
        return AirflowServer(url, SignIn(token=token), of_mwaa=True)
