"""Airflow's REST API of an MWAA environment, through InvokeRestApi."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import translated
from contactsync.errors import AirflowRefusedError
from contactsync.plain_text import one_line
from contactsync.runs.runs import Json

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient

REASON_LENGTH: Final = 300
"""Characters of Airflow's own words in an error."""


class MwaaEnvironment:
    """One MWAA environment; the caller needs `airflow:InvokeRestApi` for a role of it in Airflow."""

    def __init__(self, client: "MWAAClient", name: str) -> None:
        self._client = client
        self._name = name

    def call(
        self, method: str, path: str, body: Json | None = None, *, parameters: Mapping[str, Any] | None = None
    ) -> Json:
        """Send a request to Airflow; raise AirflowRefusedError for its errors, and an AwsCallError for AWS's."""
        request: dict[str, Any] = {"Name": self._name, "Method": method, "Path": path}
        request |= {"Body": body} if body is not None else {}
        request |= {"QueryParameters": dict(parameters)} if parameters else {}
        with translated("InvokeRestApi"):
            try:
                answer = self._client.invoke_rest_api(**request)
            except ClientError as error:
                response: Any = error.response
                if "RestApiStatusCode" not in response:
                    raise
                raise AirflowRefusedError(f"{method} {path}", *_refusal(response)) from None
        document: Any = answer.get("RestApiResponse")
        if not isinstance(document, dict):
            raise AirflowRefusedError(f"{method} {path}", *_refusal(answer))
        return document


def _refusal(response: Mapping[str, Any]) -> tuple[int | None, str]:
    """Return Airflow's status and reason; the reason is a text, or a list of the problems with the request."""
    status, document = response.get("RestApiStatusCode"), response.get("RestApiResponse")
    detail = document.get("detail", document) if isinstance(document, dict) else document
    reason = detail if isinstance(detail, str) else json.dumps(detail)
    return status if isinstance(status, int) else None, one_line(reason, REASON_LENGTH) or "no reason"
