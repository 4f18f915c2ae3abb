"""STS: whose credentials are used."""

from typing import TYPE_CHECKING

from contactsync.aws.sdk.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class AwsCaller:
    """The caller to whom the environment's own credentials belong."""

    def __init__(self, sts: "STSClient") -> None:
        self._sts = sts

    def arn(self) -> str:
        """Return the caller's ARN; no policy can forbid this call."""
        with translated("GetCallerIdentity"):
            return self._sts.get_caller_identity()["Arn"]
