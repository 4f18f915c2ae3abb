"""MWAA environments of one region: their status."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from contactsync.aws.sdk.error_codes import NOT_FOUND, code_of, translated
from contactsync.deployment.live import AirflowEnvironment

if TYPE_CHECKING:
    from mypy_boto3_mwaa import MWAAClient


class MwaaEnvironments:
    """The environments of one region."""

    def __init__(self, client: "MWAAClient") -> None:
        self._client = client

    def find(self, name: str) -> AirflowEnvironment | None:
        """Return an environment's status; None when there is none."""
        with translated("GetEnvironment"):
            try:
                environment = self._client.get_environment(Name=name)["Environment"]
            except ClientError as error:
                if code_of(error) == NOT_FOUND:
                    return None
                raise
        reason = environment.get("LastUpdate", {}).get("Error", {})
        said = ": ".join(filter(None, (reason.get("ErrorCode", ""), reason.get("ErrorMessage", ""))))
        return AirflowEnvironment(environment.get("Status", ""), said)
