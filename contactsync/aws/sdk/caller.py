"""STS: whose credentials these are."""

from typing import TYPE_CHECKING

from contactsync.aws.sdk.error_codes import translated

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class AwsCaller:
    """Whoever calls AWS with the environment's own credentials."""

    def __init__(self, sts: "STSClient") -> None:
        """Take a client with those credentials."""
        self._sts = sts

    def arn(self) -> str:
        """Return the caller's ARN; no policy can forbid this question."""
        with translated("GetCallerIdentity"):
            return self._sts.get_caller_identity()["Arn"]
